"""The commands by name, and what every one of them has in common: errors, exit codes, interruption."""

import importlib
import os
import sys
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer
import typer.main

from twinpix import __version__
from twinpix.errors import Exit, TwinpixError, system_reason
from twinpix.text import printable

EPILOG = (
    "Exit codes: 0 done; 1 some images failed and --strict was given, or --copy-kept left files behind; 2 wrong use; "
    "3 a result could not be written or an action was refused; "
    "10 duplicates found and --fail-if-found was given; "
    "11 no image was compared and --fail-if-found or --strict was given; 130 stopped by Ctrl-C."
)

_KEPT = "what was computed is in the store, the same command goes on from there"

app = typer.Typer(
    name="twinpix",
    help="Find images that are the same picture, keep one of each group, and never lose one.",
    epilog=EPILOG,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _version(asked: bool) -> None:
    if asked:
        print(f"twinpix {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Find images that are the same picture, keep one of each group, and never lose one."""


_COMMANDS = {  # by name: the class of the command, in the module named, and its line in the list of commands
    "find": ("command.Command", "Find the groups of images that are the same picture."),
    "resolve": ("arguments.ResolveCommand", "Move, trash, link or delete the duplicates of a report."),
    "undo": ("command.Command", "Put back what resolve did."),
    "query": ("command.Command", "Print the images that are the same picture as one."),
    "compare": ("command.Command", "Print how far apart two images are, and a verdict."),
    "encode": ("command.Command", "Write the codes of images to a file."),
    "evaluate": ("command.Command", "Say how good a result or a method is, given what is true."),
    "methods": ("command.Command", "List the methods, their options and measured radii."),
    "plot": ("command.Command", "Draw a report: a page, sheets, a histogram."),
    "imgdupes": ("", "Find and delete near-duplicates as imgdupes does."),
    "remove-duplicates": (
        "arguments.ScriptCommand",
        "Move duplicates in data sets away as remove_duplicates.py does.",
    ),
    "dedupe-dump": ("arguments.ScriptCommand", "Count, list and copy the different images of a Nutch dump."),
    "demo": ("command.Command", "Draw a folder of pictures with edited copies."),
    "bench": ("", ""),
    "store": ("", ""),
}


class _Commands(Mapping[str, Any]):
    """The commands by name. The module of a command is loaded when that command is asked for: a start-up is short."""

    def __getitem__(self, name: str) -> Any:
        kind, line = _COMMANDS[name]
        module = importlib.import_module(f"twinpix.cli.commands.{name.replace('-', '_')}")
        if not line:  # several commands
            group = typer.main.get_command(module.app)
            group.name = name
            return group
        alone = typer.Typer(add_completion=False, rich_markup_mode=None)
        where, _, cls = kind.partition(".")
        made = getattr(importlib.import_module(f"twinpix.cli.{where}"), cls) if kind else None
        alone.command(name, cls=made, short_help=line)(getattr(module, name.replace("-", "_")))
        return typer.main.get_command(alone)

    def __iter__(self) -> Iterator[str]:
        return iter(_COMMANDS)

    def __len__(self) -> int:
        return len(_COMMANDS)


def command_line() -> Any:
    """The command of the whole program."""
    group: Any = typer.main.get_command(app)
    group.commands = _Commands()
    return group


def run(arguments: list[str]) -> int:
    """Run a command; every failure is a line on stderr and an exit code, never a traceback."""
    # Non-UTF-8 file names are printed as the bytes they are.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="surrogateescape")
    try:
        code = int(command_line()(arguments, standalone_mode=False) or 0)
        if code == Exit.INTERRUPTED:  # the CLI library has caught Ctrl-C
            raise KeyboardInterrupt
        sys.stdout.flush()
        return code
    except TwinpixError as error:
        return _say(str(error), error.exit_code)
    except (typer.Abort, KeyboardInterrupt):
        stored = not {"--no-store", "--no-cache"} & set(arguments) and arguments[0] not in ("resolve", "undo")
        return _say(f"stopped; {_KEPT}" if stored else "stopped", Exit.INTERRUPTED)
    except BrokenPipeError:
        _mute()
        return Exit.DONE
    except SystemExit as stop:  # how the CLI library ends when the reader has seen enough
        _mute()
        return Exit.DONE if isinstance(stop.__context__, BrokenPipeError) else int(stop.code or 0)
    except MemoryError:
        return _say(f"not enough memory; {_KEPT}", Exit.REFUSED)
    except OSError as error:
        _mute()
        where = f" ({printable(os.fsdecode(error.filename))})" if isinstance(error.filename, (str, bytes)) else ""
        return _say(f"cannot go on: {system_reason(error)}{where}", Exit.REFUSED)
    except typer.Exit as stop:
        return stop.exit_code
    except Exception as error:
        usage = getattr(error, "format_message", None)  # the CLI library's own errors carry their text here
        if usage is None:
            raise
        text = usage()
        if text.startswith("Usage:"):  # a command alone, without what it is to do
            print(text, file=sys.stderr)
            return Exit.USAGE
        return _say(text or "wrong use; see twinpix --help", Exit.USAGE)


def _mute() -> None:
    """Nobody takes what is still to be printed."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _say(text: str, code: int) -> int:
    print(f"twinpix: {text}", file=sys.stderr)
    return code
