"""`twinpix remove-duplicates`."""

import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

import twinpix
from twinpix.cli import common
from twinpix.errors import Exit

if TYPE_CHECKING:
    from twinpix.act.steps import Plan
    from twinpix.compat.remove_duplicates import Duplicates, Encoded, Options

_MAX_LISTED = 10  # file names that are listed in a message


class EncoderName(StrEnum):
    CNN = "CNN"
    DHash = "DHash"


def remove_duplicates(
    dirs: Annotated[
        list[str] | None, typer.Option("--dirs", "-d", metavar="DIR...", help="Data sets; several may follow.")
    ] = None,
    root: Annotated[
        str | None, typer.Option("--root", "-r", metavar="DIR", help="The folder that --dirs are relative to.")
    ] = None,
    duplicates_dir: Annotated[
        str, typer.Option("--duplicates-dir", metavar="DIR", help="Folder for duplicates, in the trees of their sets.")
    ] = "duplicates",
    encoder: Annotated[
        EncoderName, typer.Option("--encoder", case_sensitive=False, help="Method of comparison.")
    ] = EncoderName.CNN,
    threshold: Annotated[
        float | None,
        typer.Option(
            "--threshold", metavar="N", help="CNN: smallest cosine (0.9); DHash: largest number of different bits (10)."
        ),
    ] = None,
    display_duplicates: Annotated[
        bool, typer.Option("--display-duplicates", help="Show each group: a window, or a file without a display.")
    ] = False,
    encodings_in: Annotated[
        list[str] | None,
        typer.Option("--encodings-in", metavar="FILE...", help="Encodings to load; .json may be omitted."),
    ] = None,
    encodings_out: Annotated[
        str | None,
        typer.Option("--encodings-out", metavar="FILE", help="Write all encodings to FILE; .json may be omitted."),
    ] = None,
    encodings_only: Annotated[bool, typer.Option("--encodings-only", help="Write encodings, and end.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be moved; move nothing.")] = False,
    no_data_dir: Annotated[
        bool, typer.Option("--no-data-dir", help="Images are anywhere in DIR, not in DIR/data/…images….")
    ] = False,
    no_annot: Annotated[bool, typer.Option("--no-annot", help="Leave annotations where they are.")] = False,
    force: common.ForceOption = False,
) -> int:
    """Find duplicates within and between data sets and move them away, as remove_duplicates.py does.

    Annotations are moved with their images. Options may be spelled with underscores. undo moves everything back.
    """
    from twinpix.act import actions
    from twinpix.cli import acting
    from twinpix.compat import remove_duplicates as front_end
    from twinpix.machine import no_garbage_collection
    from twinpix.progress.terminal import progress
    from twinpix.ui import plan_text

    options = front_end.Options(
        dirs=tuple(dirs or ()),
        root=root,
        duplicates_dir=duplicates_dir,
        encoder=encoder.value,
        threshold=threshold,
        display_duplicates=display_duplicates,
        encodings_in=tuple(encodings_in or ()),
        encodings_out=encodings_out,
        encodings_only=encodings_only,
        dry_run=dry_run,
        no_data_dir=no_data_dir,
        no_annot=no_annot,
        force=force,
    )
    front_end.check(options)
    if not dry_run and not encodings_only:
        acting.mend(options.duplicates)
    encoded = front_end.encode(options, progress())
    _tell(encoded)
    if encodings_out is not None:
        path = front_end.write(encodings_out, encoded.by_path(), encoded.missing, encoded.encoder, force=force)
        print(f"encodings: {path}")
    if encodings_only:
        return Exit.DONE
    found = front_end.find_duplicates(encoded, options.radius, options.duplicates, progress())
    _show(found, options)

    def print_plan() -> "Plan":
        move = actions.make("move", {"to": found.to})
        plan = twinpix.plan(found.report, move, sidecars="keep" if no_annot else "all", by_stem=True)
        with no_garbage_collection():
            sys.stdout.writelines(f"{line}\n" for line in plan_text.lines(plan))
        return plan

    if not dry_run:
        return acting.carry_out(options.duplicates, print_plan)
    print_plan()
    print("nothing was changed (--dry-run)")
    return Exit.DONE


def _tell(encoded: "Encoded") -> None:
    """Print the files that are ignored."""
    from twinpix.cli import acting
    from twinpix.text import plural, printable

    missing = [printable(name) for name in encoded.missing]
    count = plural(len(missing), "file")
    acting.say_rows(f"{count} of the encodings could not be found and will not be moved:", missing, _MAX_LISTED)
    unlike = [printable(name) for name in encoded.overruled]
    acting.say_rows("encodings disagree on these files; the last one counts:", unlike, _MAX_LISTED)
    damaged = [printable(name) for name in encoded.damaged]
    acting.say_rows("part of these images is missing; they are left alone:", damaged, _MAX_LISTED)


def _show(found: "Duplicates", options: "Options") -> None:
    """Print the summary, and show the groups if requested."""
    from twinpix.report.text import summary
    from twinpix.ui import outcome_text

    sys.stdout.write(summary(found.report))
    if options.display_duplicates:
        from twinpix.compat import remove_duplicates as front_end

        sys.stdout.flush()
        for path in front_end.show(found.report, f"{options.duplicates}-groups"):
            print(f"shown: {outcome_text.shorten_path(path)}")
