"""One call, from its options to what it prints."""

import sys
from collections.abc import Mapping, Sequence

from twinpix.compat.imgdupes import files, grouping, hashing, logs, printing, saying, searching, showing
from twinpix.compat.imgdupes.deleting import delete, mend
from twinpix.compat.imgdupes.grouping import Set
from twinpix.compat.imgdupes.hashing import Image
from twinpix.compat.imgdupes.options import Options
from twinpix.compat.imgdupes.preserving import Preserver
from twinpix.compat.imgdupes.searching import Engine
from twinpix.errors import Exit
from twinpix.model import Skipped

REFUSED = 1  # what imgdupes exits with for options that do not go together


def run(options: Options) -> int:
    """Find the sets and print them, or ask what to keep of each; returns the exit code.

    Raises `UsageError` for what cannot be searched, `OutputError` when a log cannot be written.
    """
    if refusal := _refusal(options):
        sys.stdout.write(f"{refusal}\n")
        return REFUSED
    _check(options)
    if options.delete and not options.dry_run:
        saying.name_files("these files could not be mended after a run that was killed", _told(mend()))
    by = searching.engine(options)
    wanted = None if options.query is None else hashing.hash_of_query(options.query, options)
    names, unlisted = files.listed(options)
    images, codes, unread = hashing.hashed(names, options)
    failures = [*unlisted, *unread]
    hashing.tell(images, failures)
    if not images and not failures:
        saying.print_line("Image not found. To search the directory recursively, add the --recursive option.")
        return Exit.DONE
    if not images:
        sets: list[Set] = []
    elif wanted is None:
        sets = grouping.sets_of(images, codes, options, by)
    else:
        sets = grouping.like(wanted, images, codes, options, by)
    return _present(sets, options, by)


def _refusal(options: Options) -> str:
    """Why these options do not go together; nothing when they do."""
    if options.target_dir is None and options.files_from is None:
        return "Positional argument 'target_dir' is required when not specified --files-from option."
    if options.delete and options.summarize:
        return "options --summarize and --delete are not compatible"
    return ""


def _check(options: Options) -> None:
    """Raise `UsageError` for values that cannot be used, and say which are used differently."""
    hashing.check(options)
    showing.check(options)
    if options.target_dir is not None and options.files_from is not None:
        saying.warn("Both 'target_dir' and `--files-from` option are specified. `target_dir` is ignored.")
    if options.bits != options.hash_bits:
        saying.warn(f"hash_bits must be the square of n. Use {options.bits} as hash_bits")


def _present(sets: Sequence[Set], options: Options, by: Engine) -> int:
    """Log and print the sets, or go through them with the user; returns the exit code."""
    if options.log and sets:
        logs.write_found(sets, options, by)
    if options.query is not None:
        showing.show([options.query], options)
        sys.stdout.write(printing.query_line(options))
    if options.delete:
        return _delete(sets, options, by)
    for images in sets:
        showing.show([image.path for image in images], options)
        sys.stdout.write(printing.set_lines(images, options))
    if options.summarize:
        sys.stdout.write(printing.summary(sets))
    return Exit.DONE


def _delete(sets: Sequence[Set], options: Options, by: Engine) -> int:
    """Ask and delete; what was deleted is logged however the dialogue ends. Returns the exit code."""
    gone: list[str] = []
    left: dict[str, str] = {}

    def deleting(kept: Sequence[Image], images: Sequence[Image]) -> Mapping[str, str]:
        why = delete(kept, images, None if options.files_from is not None else options.target_dir)
        left.update(why)
        return why

    try:
        for paths in Preserver(options, deleting).walk(sets):
            gone += paths
    finally:
        if options.log and gone:
            logs.write_deleted(gone, options, by)
    return Exit.REFUSED if left else Exit.DONE


def _told(rows: Sequence[Skipped]) -> list[str]:
    return [f"{row.path}: {row.reason}" for row in rows]
