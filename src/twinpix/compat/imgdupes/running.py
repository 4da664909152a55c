"""One call, from its options to what it prints."""

import sys
from collections.abc import Sequence

from twinpix.compat.imgdupes import files, grouping, hashing, logs, printing, saying, searching, showing
from twinpix.compat.imgdupes.deleting import delete
from twinpix.compat.imgdupes.grouping import Set
from twinpix.compat.imgdupes.options import Options
from twinpix.compat.imgdupes.preserving import Preserver
from twinpix.compat.imgdupes.searching import Engine
from twinpix.errors import Exit

REFUSED = 1  # what imgdupes exits with for options that do not go together


def run(options: Options) -> int:
    """Find the sets and print them, or ask what to keep of each; returns the exit code.

    Raises `UsageError` for what cannot be searched, `OutputError` when a log cannot be written.
    """
    if refusal := _refusal(options):
        sys.stdout.write(f"{refusal}\n")
        return REFUSED
    _check(options)
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
    _present(sets, options, by)
    return Exit.DONE


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


def _present(sets: Sequence[Set], options: Options, by: Engine) -> None:
    """Log and print the sets, or go through them with the user."""
    if options.log and sets:
        logs.write_found(sets, options, by)
    if options.query is not None:
        showing.show([options.query], options)
        sys.stdout.write(printing.query_line(options))
    if options.delete:
        _delete(sets, options, by)
        return
    for images in sets:
        showing.show([image.path for image in images], options)
        sys.stdout.write(printing.set_lines(images, options))
    if options.summarize:
        sys.stdout.write(printing.summary(sets))


def _delete(sets: Sequence[Set], options: Options, by: Engine) -> None:
    """Ask and delete; what was deleted is logged however the dialogue ends."""
    gone: list[str] = []
    try:
        for paths in Preserver(options, delete).walk(sets):
            gone += paths
    finally:
        if options.log and gone:
            logs.write_deleted(gone, options, by)
