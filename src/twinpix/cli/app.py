"""The commands by name, and their common error handling, exit codes and interruption."""

import importlib
import os
import sys
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer
import typer.main

from twinpix import __version__
from twinpix.errors import Exit, TwinpixError, UsageError, system_reason
from twinpix.text import printable

EPILOG = (
    "Exit codes: 0 done; 1 some images failed and --strict was given, or --copy-kept left files behind; 2 wrong use; "
    "3 a result could not be written or an action was refused; "
    "10 duplicates found and --fail-if-found was given; "
    "11 no image was compared, because none could be used, or --fail-if-found or --strict was given; "
    "130 stopped by Ctrl-C."
)

_KEPT = "what was computed is in the store; run the same command to continue"

app = typer.Typer(
    name="twinpix",
    help="Find images that are copies of each other, and move duplicates away reversibly.",
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
    """Find images that are copies of each other, and move duplicates away reversibly."""


_COMMANDS = {  # by name: module and class of the command, and its line in the list of commands
    "find": ("command.Command", "Find groups of images that are copies of each other."),
    "resolve": ("arguments.ResolveCommand", "Move, trash, link or delete the duplicates of a report."),
    "review": ("command.Command", "Review a report in the browser: compare, decide, act, undo."),
    "undo": ("command.Command", "Undo a run of resolve."),
    "query": ("command.Command", "Print the images that are copies of one image."),
    "compare": ("command.Command", "Compare two images: distances, relation and verdict."),
    "encode": ("command.Command", "Write the fingerprints of images to a file."),
    "evaluate": ("command.Command", "Measure precision and recall against ground truth."),
    "methods": ("command.Command", "List methods, rules, actions and formats, with their options."),
    "plot": ("command.Command", "Draw a report: a page, sheets or a histogram."),
    "imgdupes": ("", "Find and delete near-duplicates as imgdupes does."),
    "remove-duplicates": (
        "arguments.ScriptCommand",
        "Move duplicates out of data sets, as remove_duplicates.py does.",
    ),
    "dedupe-dump": ("arguments.ScriptCommand", "Count, list and copy the different images of a Nutch dump."),
    "demo": ("command.Command", "Draw a folder of example images with edited copies."),
    "bench": ("", ""),
    "store": ("", ""),
}


class _Commands(Mapping[str, Any]):
    """The commands by name. The module of a command is loaded when it is used, so that the start is fast."""

    def __getitem__(self, name: str) -> Any:
        kind, line = _COMMANDS[name]
        module = importlib.import_module(f"twinpix.cli.commands.{name.replace('-', '_')}")
        if not line:  # a group of commands
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
    """Return the command of the whole program."""
    group: Any = typer.main.get_command(app)
    group.commands = _Commands()
    return group


def run(arguments: list[str]) -> int:
    """Run a command; every failure is a line on stderr and an exit code, never a traceback."""
    # File names that are no UTF-8 are printed with their original bytes.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="surrogateescape")
    try:
        code = int(command_line()(arguments, standalone_mode=False) or 0)
        if code == Exit.INTERRUPTED:  # the CLI library has handled Ctrl-C
            raise KeyboardInterrupt
        sys.stdout.flush()
        return code
    except UsageError as error:
        return _say(_with_option(error, arguments), error.exit_code)
    except TwinpixError as error:
        return _say(str(error), error.exit_code)
    except (typer.Abort, KeyboardInterrupt):
        stored = not {"--no-store", "--no-cache"} & set(arguments) and arguments[0] not in ("resolve", "undo")
        return _say(f"stopped; {_KEPT}" if stored else "stopped", Exit.INTERRUPTED)
    except BrokenPipeError:
        _mute()
        return Exit.DONE
    except SystemExit as stop:  # how the CLI library ends when the reader closes the pipe
        _mute()
        return Exit.DONE if isinstance(stop.__context__, BrokenPipeError) else int(stop.code or 0)
    except MemoryError:
        return _say(f"not enough memory; {_KEPT}", Exit.REFUSED)
    except OSError as error:
        _mute()
        where = f" ({printable(os.fsdecode(error.filename))})" if isinstance(error.filename, (str, bytes)) else ""
        return _say(f"cannot continue: {system_reason(error)}{where}", Exit.REFUSED)
    except typer.Exit as stop:
        return stop.exit_code
    except Exception as error:
        usage = getattr(error, "format_message", None)  # the CLI library's own errors have their text here
        if usage is None:
            raise
        text = usage()
        if text.startswith("Usage:"):  # a command without its arguments
            print(text, file=sys.stderr)
            return Exit.USAGE
        return _say(text or "wrong use; see twinpix --help", Exit.USAGE)


def _with_option(error: UsageError, arguments: list[str]) -> str:
    """Return the message of an error in a parameter, with the option as the user types it.

    It replaces the name of the parameter if the message begins with it, and precedes the message if not.
    """
    text, name = str(error), error.field.replace("_", "-")
    if not name or f"--{name}" not in _options(arguments):
        return text
    option = f"--no-{name}" if f"--no-{name}" in arguments else f"--{name}"
    return option + (text.removeprefix(error.field) if text.startswith(error.field) else f": {text}")


def _options(arguments: list[str]) -> set[str]:
    """Return the options of the command that these arguments call."""
    command = command_line()
    for name in arguments:
        commands = getattr(command, "commands", {})
        if name not in commands:
            break
        command = commands[name]
    return {option for parameter in command.params for option in parameter.opts}


def _mute() -> None:
    """Discard further output, because the reader has closed the pipe."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _say(text: str, code: int) -> int:
    print(f"twinpix: {text}", file=sys.stderr)
    return code
