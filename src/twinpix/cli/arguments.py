"""Argument syntax of scripts: options spelled with underscores, and several values after one option."""

from collections.abc import Iterable, Iterator
from itertools import zip_longest
from typing import Any

from typer.core import TyperCommand

from twinpix.cli.command import Command


class ScriptCommand(TyperCommand):
    """A command that accepts `_` for `-` in options, and all following values for an option that may be repeated.

    `-d A B` is `-d A -d B`. A value that begins with a hyphen is given as `--dirs=-a`.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        names = {name for parameter in self.params for name in parameter.opts}
        several = {
            name for parameter in self.params if getattr(parameter, "multiple", False) for name in parameter.opts
        }
        return super().parse_args(ctx, list(_spread(_replace_underscores(args, names), several)))


class ResolveCommand(Command):
    """A command that accepts `--sidecars` without a value, and its earlier form `--no-sidecars`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, list(_with_value(args)))


def _with_value(args: list[str]) -> Iterator[str]:
    for arg, following in zip_longest(args, args[1:], fillvalue=""):
        if arg == "--no-sidecars":
            yield "--sidecars=keep"
        else:
            yield "--sidecars=same" if arg == "--sidecars" and following not in ("keep", "same", "all") else arg


def _replace_underscores(args: Iterable[str], names: set[str]) -> Iterator[str]:
    for arg in args:
        name, equals, value = arg.partition("=")
        known = name.replace("_", "-")
        yield f"{known}{equals}{value}" if known in names and name.startswith("--") else arg


def _spread(args: Iterable[str], several: set[str]) -> Iterator[str]:
    """Yield the arguments with the option before each of its values."""
    option, fresh = "", False
    for arg in args:
        if option and not _is_option(arg):
            if not fresh:
                yield option
            fresh = False
        else:
            option, fresh = (arg, True) if arg in several else ("", False)
        yield arg


def _is_option(arg: str) -> bool:
    return arg.startswith("-") and arg != "-"
