"""`twinpix find`."""

import os
import shlex
import shutil
import sys
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

import twinpix
from twinpix import plugins
from twinpix.cli import common
from twinpix.cli.common import DecodeName, StrictnessName
from twinpix.errors import Exit, UsageError
from twinpix.keep import DEFAULT as DEFAULT_KEEP
from twinpix.paths import above, is_within_any
from twinpix.progress.terminal import progress
from twinpix.ui.program import program

if TYPE_CHECKING:
    from twinpix.model import Report
    from twinpix.outputs import Kind


_PAGES = (".html", ".htm")  # suffixes of a page
_DUPLICATES = "duplicates"  # the folder that the next command moves them to


def find(
    paths: Annotated[list[str] | None, typer.Argument(metavar="PATH...", help=common.PATHS_HELP)] = None,
    method: common.MethodOption = None,
    fast: common.FastOption = False,
    radius: common.RadiusOption = None,
    strictness: common.StrictnessOption = StrictnessName.normal,
    precision: Annotated[
        float | None,
        typer.Option(
            "--precision",
            metavar="SHARE",
            help="Choose the largest radius with this estimated precision (0.999), by verifying some matches.",
        ),
    ] = None,
    transforms: common.TransformsOption = None,
    search: common.SearchOption = "auto",
    link: Annotated[
        str,
        typer.Option(
            "--link",
            metavar="RULE",
            help="{linking}.",
        ),
    ] = "star",
    keep: Annotated[
        str,
        typer.Option(
            "--keep",
            metavar="RULES",
            help=f"Rules that choose the keeper; the first that differs decides: {', '.join(plugins.own('keep'))}.",
        ),
    ] = DEFAULT_KEEP,
    reference: Annotated[
        list[str] | None,
        typer.Option("--reference", metavar="DIR", help="Images to compare with, never removed; may be repeated."),
    ] = None,
    cross: Annotated[
        bool, typer.Option("--cross", help="Only pairs between different PATHs (train/test leakage).")
    ] = False,
    files_from: Annotated[
        str | None,
        typer.Option(
            "--files-from", metavar="FILE|-", help="Also the files listed in FILE, one per line or NUL-separated."
        ),
    ] = None,
    table: common.TableOption = None,
    column: common.ColumnOption = "",
    id: common.IdOption = "",
    recursive: common.RecursiveOption = True,
    hidden: common.HiddenOption = False,
    follow_links: common.FollowOption = False,
    exclude: common.ExcludeOption = None,
    min_size: common.MinSizeOption = 0,
    min_pixels: common.MinPixelsOption = 0,
    verify: common.VerifyOption = None,
    guard: common.GuardOption = True,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Write the report; the suffix names the format ({suffixes}); - is JSON on stdout.",
        ),
    ] = None,
    format: Annotated[
        str | None,
        typer.Option(
            "--format",
            "-f",
            metavar="NAME",
            help=f"{', '.join(sorted(['html', *plugins.own('report')]))}; default: text, or as -o says.",
        ),
    ] = None,
    null: Annotated[
        bool, typer.Option("--null", "-0", help="With -f fdupes: end each path with a NUL byte, not a line end.")
    ] = False,
    force: common.ForceOption = False,
    decode: common.DecodeOption = DecodeName.fast,
    device: common.DeviceOption = "",
    workers: common.WorkersOption = 0,
    executor: common.ExecutorOption = "local",
    timeout: common.TimeoutOption = 60.0,
    store: common.StoreOption = None,
    no_store: common.NoStoreOption = False,
    work: common.WorkOption = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 when an image could not be used.")] = False,
    fail_if_found: Annotated[
        bool, typer.Option("--fail-if-found", help="Exit with 10 when there are duplicates.")
    ] = False,
) -> int:
    """Find groups of images that are copies of each other, and report which image of each group to keep.

    Changes no image. Results are stored, so that a second run is faster and a stopped run continues where it
    stopped.
    """
    chosen = common.options(locals())
    from twinpix import sources

    target = _Target.of(output, format, null=null, force=force)
    listed = sources.names_from(files_from) if files_from else []
    if files_from and not listed and not paths:
        raise UsageError(f"the list {files_from} names no file")
    found = twinpix.find(paths or [], chosen, listed=listed, progress=progress())
    target.write(found)
    if fail_if_found and found.groups:
        return Exit.FOUND
    if (fail_if_found or strict or (found.failures and not found.groups)) and not found.counts.images:
        print("twinpix: no image was compared", file=sys.stderr)
        return Exit.NOTHING_COMPARED
    if strict and found.failures:
        return Exit.SOME_FAILED
    return Exit.DONE


class _Target(NamedTuple):
    """Where a report is written, and in which format."""

    path: str  # "" for stdout
    format: str
    force: bool
    null: bool
    named: bool  # whether the user named the format

    @classmethod
    def of(cls, output: str | None, format: str | None, *, null: bool, force: bool) -> "_Target":
        """Raise `UsageError` or `OutputError` before the work if the output could not be written after it."""
        from twinpix import outputs, report

        path = output if output not in (None, "-") else ""
        name = format or (_format_of(path) if path else "json" if output == "-" else "text")
        if null and name != "fdupes":
            raise UsageError("-0 separates the paths of -f fdupes: give both")
        if name == "html" and not path:
            raise UsageError("a page is written to a file: give -o FILE.html")
        if name != "html" and not plugins.exists("report", plugins.parse(name)[0]):
            names = ", ".join(sorted(["html", *plugins.names("report")]))
            raise UsageError(f"no report format is called {name!r}; there are: {names}")
        if path:
            outputs.require(path, _kind_of(name), force=force)
        elif report.is_binary(report.writer(name)) and sys.stdout.isatty():
            raise UsageError(f"a table is not written to a terminal: give -o FILE, or pipe the output (-f {name})")
        return cls(path or "", name, force, null, format is not None)

    def _options(self) -> str:
        if self.null:
            return ":null"
        if self.format == "text" and not self.path and sys.stdout.isatty():
            return f":width={shutil.get_terminal_size().columns}"
        return ""

    def write(self, found: "Report") -> None:
        from twinpix import outputs, report
        from twinpix.report.base import encode_text
        from twinpix.report.text import summary

        can_act = bool(found.counts.discards)
        if self.format == "html":
            from twinpix import ui

            ui.write_page(found, self.path, force=self.force)
        else:
            writer = report.writer(self.format + self._options())
            if self.path:
                outputs.write(self.path, encode_text(writer.parts(found)), writer.kind, force=self.force)
            else:
                sys.stdout.flush()
                sys.stdout.buffer.writelines(encode_text(writer.parts(found)))
        if self.path:
            sys.stdout.write(f"{summary(found)}report: {self.path}\n")
            if self.format == "json" and can_act:
                command = f"resolve {shlex.quote(self.path)} --move {shlex.quote(_free_folder(found))}"
                _hint(command, "prints the plan; --apply carries it out")
        elif self.format not in ("text", "json"):
            sys.stderr.write(summary(found))
        elif self.format == "text" and can_act and not self.named:
            _hint(f"{shlex.join(sys.argv[1:])} -o report.json", "saves the report, which resolve reads")


def _hint(command: str, what: str) -> None:
    """Print the next command at a terminal, and what it does, unless only results and errors are wanted.

    The explanation has a line of its own, because not every shell ignores a comment after a command.
    """
    from twinpix.progress import terminal

    if sys.stderr and sys.stderr.isatty() and not terminal.quiet:
        print(f"next: {program()} {command}\n      ({what})", file=sys.stderr)


def _free_folder(found: "Report") -> str:
    """Return a folder for duplicates outside the searched folders: `duplicates`, or one further up, or `DIR`."""
    searched = {os.path.realpath(name) for name in (*found.roots, *found.references)}
    for folder in above(os.path.realpath(os.curdir)):
        free = os.path.join(folder, _DUPLICATES)
        if not is_within_any(free, searched) and os.access(folder, os.W_OK):
            return os.path.relpath(free)
    return "DIR"


def _kind_of(format: str) -> "Kind":
    if format == "html":
        from twinpix import outputs

        return outputs.PAGE
    from twinpix import report

    return report.writer(format).kind


def _format_of(path: str) -> str:
    from twinpix import report

    return "html" if path.lower().endswith(_PAGES) else report.format_of(path, _PAGES[:1])
