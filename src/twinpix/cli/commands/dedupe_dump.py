"""`twinpix dedupe-dump`."""

import os
from typing import TYPE_CHECKING, Annotated

import typer

from twinpix.cli import common
from twinpix.errors import Exit, UsageError

if TYPE_CHECKING:
    from twinpix.model import Report


def dedupe_dump(
    dump_dir: Annotated[str, typer.Argument(metavar="DUMP_DIR", help="A folder of files, some of them images.")],
    exact_duplicates: Annotated[
        bool, typer.Option("--exact-duplicates", "-e", help="Duplicates have identical pixels.")
    ] = False,
    near_duplicates: Annotated[
        bool, typer.Option("--near-duplicates", "-n", help="Duplicates are near-duplicates; the default.")
    ] = False,
    output_json: Annotated[
        str | None,
        typer.Option("--output-json", "-o", metavar="FILE", help="Write the kept images and their duplicates."),
    ] = None,
    output_dir: Annotated[
        str | None,
        typer.Option("--output-dir", "-d", metavar="DIR", help="Copy the kept images to DIR, with their folders."),
    ] = None,
    show_duplicates: Annotated[
        bool, typer.Option("--show-duplicates", "-s", help="Copy duplicates to DIR_duplicates, grouped by kept image.")
    ] = False,
    force: common.ForceOption = False,
) -> int:
    """Count, list and copy the different images of a dump, as the deduplication script for Nutch dumps does.

    Images are recognised by content, not by name. Options may be spelled with underscores. The dump is
    only read; undo removes the copies.
    """
    if exact_duplicates and near_duplicates:
        raise UsageError("give --exact-duplicates or --near-duplicates, not both")
    if show_duplicates and not output_dir:
        raise UsageError("--show-duplicates copies to a folder beside --output-dir: give --output-dir DIR too")
    if "" in (dump_dir, output_dir, output_json):
        raise UsageError("a name is empty")
    from twinpix import outputs
    from twinpix.cli import acting
    from twinpix.compat import dedupe_dump as front_end
    from twinpix.progress.terminal import progress

    folder = os.path.abspath(output_dir) if output_dir else ""
    if output_json is not None:
        outputs.require(output_json, front_end.LIST, force=force)
    front_end.check(dump_dir, folder)
    if folder:
        acting.mend(folder)
    found = front_end.find(dump_dir, exact=exact_duplicates, progress=progress())
    _tell(found)
    print(f"Initial_Image_Count: {found.counts.images}")
    print(f"Final_Image_Count: {front_end.count_kept(found)}")
    if output_json is not None:
        front_end.write(found, output_json, progress(), force=force)
    if not folder:
        return Exit.DONE
    return acting.carry_out(folder, lambda: front_end.plan(found, folder, duplicates=show_duplicates))


def _tell(found: "Report") -> None:
    """Print the files that could not be used."""
    from twinpix.cli import acting
    from twinpix.text import plural, printable

    count = plural(len(found.failures), "file")
    rows = [f"{printable(failure.path)}: {failure.error}" for failure in found.failures]
    acting.say_rows(f"{count} could not be used:", rows)
