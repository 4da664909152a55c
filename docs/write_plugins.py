"""Write docs/plugins.md from the plugins themselves; a test holds it equal.

usage: python docs/write_plugins.py
"""

import dataclasses
import importlib
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from twinpix import fingerprints, plugins
from twinpix.model import format_distance

TARGET = Path(__file__).with_name("plugins.md")
KINDS = {
    "linking": "Linking rules (`--link`)",
    "keep": "Keep rules (`--keep`)",
    "search": "Search back ends (`--search`)",
    "actions": "Actions (`resolve --action`)",
    "report": "Report formats (`--format`)",
    "sources": "Sources (PATH)",
}
NOTES = {
    "keep": "The default chain, with reasons: [keep.md](keep.md).",
    "search": "`auto`, the default, chooses an exact one: [search.md](search.md).",
    "actions": "In detail: [resolve.md](resolve.md).",
    "report": "`-f html` and `-o FILE.html` write the page of all groups, which is no plugin.",
    "sources": "A PATH with one of these suffixes is read like a folder.",
}
FACTS = {"search": "exact", "actions": "undo", "report": "suffixes", "sources": "suffixes"}  # a column of their own
HEAD = (
    "# All methods, rules, actions and formats\n\n"
    "Written by `docs/write_plugins.py` from the code. `twinpix methods` prints this list with the plugins of other "
    "packages. Options follow the name: `phash:size=16,flavour=imagehash`.\n\n"
    "## Methods (`--method`)\n\n"
    "Radii are in bits, of `cnn` in cosine distance, of `local` and `cascade` in the share of the overlap that may "
    "differ. How they were measured: [benchmarks.md](benchmarks.md#radii-by-strictness).\n"
)


def text() -> str:
    """Every plugin of twinpix with its first sentence and its options, as Markdown."""
    parts = [HEAD, *_table(["method", "bits", "strict", "normal", "loose", "what it does", "options"], _methods()), ""]
    for kind, title in KINDS.items():
        fact = FACTS.get(kind)
        columns = ["name", *([fact] if fact else []), "what it does", "options"]
        parts += [
            f"## {title}\n",
            *([f"{NOTES[kind]}\n"] if kind in NOTES else []),
            *_table(columns, (_row(kind, name) for name in plugins.own(kind))),
            "",
        ]
    return "\n".join(parts)


def _table(columns: list[str], rows: Iterator[list[str]]) -> list[str]:
    lines = [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in (columns, *rows)]
    return [lines[0], "|---" * len(columns) + "|", *lines[1:]]


def _methods() -> Iterator[list[str]]:
    """A row for each method, and one for each further size whose radii were measured."""
    for name in plugins.own("fingerprints"):
        default: Any = fingerprints.make(name)
        sizes = [size for size in getattr(default, "measured", ()) if size != default.size]
        for spec in (name, *(f"{name}:size={size}" for size in sizes)):
            method = fingerprints.make(spec)
            radii = (format_distance(method.radii[each]) for each in ("strict", "normal", "loose"))
            words = [_what("fingerprints", name), _options("fingerprints", name)] if spec == name else ["", ""]
            yield [f"`{spec}`", str(method.bits), *radii, *words]


def _row(kind: str, name: str) -> list[str]:
    return [f"`{name}`", *_fact(kind, name), _what(kind, name), _options(kind, name)]


def _fact(kind: str, name: str) -> list[str]:
    """The cell of the column of `FACTS`, if the kind has one."""
    made = plugins.load(kind, name)
    if kind == "search":
        return ["yes" if made.exact else "no"]
    if kind == "actions":
        return ["no" if made.permanent else "yes"]
    return [", ".join(f"`{suffix}`" for suffix in sorted(made.suffixes))] if kind in FACTS else []


def _what(kind: str, name: str) -> str:
    """The first paragraph of the docstring of a plugin's module."""
    module = importlib.import_module(plugins.load(kind, name).__module__)
    return " ".join((module.__doc__ or "").split("\n\n")[0].split())


def _options(kind: str, name: str) -> str:
    return ", ".join(_option(key, field) for key, field in plugins.options(plugins.load(kind, name)).items())


def _option(key: str, field: "dataclasses.Field[Any]") -> str:
    """An option with its default or, without one, with a placeholder; the choices in brackets."""
    default = key.upper() if field.default is dataclasses.MISSING else str(field.default)
    choices = typing.get_args(field.type) if typing.get_origin(field.type) is typing.Literal else ()
    return f"`{key}={default}`" + (f" ({' or '.join(f'`{choice}`' for choice in choices)})" if choices else "")


if __name__ == "__main__":
    TARGET.write_text(text(), encoding="utf-8")
