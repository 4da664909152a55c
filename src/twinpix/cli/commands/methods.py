"""`twinpix methods`."""

import dataclasses
import typing
from typing import Any

from twinpix.errors import Exit
from twinpix.model import format_distance


def methods() -> int:
    """List methods, rules, actions and formats, with their options.

    Methods are listed with their measured radii; the rest are linking rules, keep rules, search back ends, actions of
    resolve, report formats, and the archives that are read like folders.
    """
    from twinpix import fingerprints, plugins

    print("Methods (--method NAME:option=value,...); radii by --strictness, in bits, in cosine distance (cnn),")
    print("or in the share of the overlap that may differ (local, cascade)\n")
    print(f"  {'name':<11}{'bits':>5}  {'strict':>6}{'normal':>8}{'loose':>7}  what it does")
    for name in plugins.names("fingerprints"):
        method = fingerprints.make(name)
        strict, normal, loose = (format_distance(method.radii[each]) for each in ("strict", "normal", "loose"))
        numbers = f"{method.bits:>5}  {strict:>6}{normal:>8}{loose:>7}"
        print(f"  {name:<11}{numbers}  {_what(name)}")
        for option, text in _options("fingerprints", name):
            print(f"{'':42}{option} {text}".rstrip())
    for title, package in (
        ("Linking (--link)", "linking"),
        ("Keep rules (--keep)", "keep"),
        ("Search (--search)", "search"),
        ("Actions (resolve --action)", "actions"),
        ("Report formats (--format)", "report"),
        ("Archives (PATH)", "sources"),
    ):
        print(f"\n{title}\n")
        for name in plugins.names(package):
            print(f"  {name:<11}{_what(name, package)}{_missing(package, name)}")
            _print_options(_options(package, name))
        if package == "report":
            print(f"  {'html':<11}One page of all groups with thumbnails and filters; with -o FILE.html.")
    return Exit.DONE


def _missing(package: str, name: str) -> str:
    """Return how to install the library of a search back end, if it is missing."""
    from twinpix import plugins
    from twinpix.errors import UsageError
    from twinpix.search.ann.rerank import require

    try:
        require(plugins.load(package, name))
    except UsageError as error:
        return f" ({error})"
    return ""


def _print_options(options: list[tuple[str, str]]) -> None:
    """Print the options, as many per line as fit the terminal."""
    import textwrap

    texts = [f"{option} {text}".strip().replace(" ", "\N{NO-BREAK SPACE}") for option, text in options]
    for line in textwrap.wrap("  ".join(texts), 100, break_long_words=False, break_on_hyphens=False):
        print(f"{'':13}{line}".replace("\N{NO-BREAK SPACE}", " "))


def _what(name: str, package: str = "fingerprints") -> str:
    """Return the first paragraph of the docstring of a plugin's module."""
    from twinpix import plugins

    return plugins.summary_of(plugins.load(package, name))


def _options(package: str, name: str) -> list[tuple[str, str]]:
    from twinpix import plugins

    return [
        (f"{option}={_default(field)}", _choices(field.type))
        for option, field in plugins.options(plugins.load(package, name)).items()
    ]


def _default(field: "dataclasses.Field[Any]") -> str:
    return "" if field.default is dataclasses.MISSING else str(field.default)


def _choices(kind: Any) -> str:
    return f"({' or '.join(typing.get_args(kind))})" if typing.get_origin(kind) is typing.Literal else ""
