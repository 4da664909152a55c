"""Run imgdupes: from its options to its output."""

import sys
from collections.abc import Mapping, Sequence

from twinpix.act.steps import Skipped
from twinpix.compat.imgdupes import display, engines, files, grouping, hashing, logs, messages, output
from twinpix.compat.imgdupes.deletion import delete, mend
from twinpix.compat.imgdupes.dialogue import Dialogue
from twinpix.compat.imgdupes.engines import Engine
from twinpix.compat.imgdupes.grouping import Set
from twinpix.compat.imgdupes.hashing import Image
from twinpix.compat.imgdupes.options import Options
from twinpix.errors import Exit

REFUSED = 1  # the exit code of imgdupes for options that exclude each other


def run(options: Options) -> int:
    """Find the sets and print them, or ask which images of each to keep; return the exit code.

    Raises `UsageError` for a folder, query or option that cannot be used, `OutputError` if a log cannot be written.
    """
    if refusal := _refusal(options):
        sys.stdout.write(f"{refusal}\n")
        return REFUSED
    _check(options)
    if options.delete and not options.dry_run:
        messages.name_files("these files could not be mended after a run that was killed", _with_reasons(mend()))
    by = engines.engine(options)
    wanted = None if options.query is None else hashing.hash_of_query(options.query, options)
    names, unlisted = files.list_files(options)
    images, codes, unread = hashing.hash_files(names, options)
    failures = [*unlisted, *unread]
    hashing.report_failures(images, failures)
    if not images and not failures:
        messages.print_line("Image not found. To search the directory recursively, add the --recursive option.")
        return Exit.DONE
    if not images:
        sets: list[Set] = []
    elif wanted is None:
        sets = grouping.sets_of(images, codes, options, by)
    else:
        sets = grouping.query_set(wanted, images, codes, options, by)
    return _present(sets, options, by)


def _refusal(options: Options) -> str:
    """Return why these options exclude each other; an empty string if they do not."""
    if options.target_dir is None and options.files_from is None:
        return "Positional argument 'target_dir' is required when not specified --files-from option."
    if options.delete and options.summarize:
        return "options --summarize and --delete are not compatible"
    return ""


def _check(options: Options) -> None:
    """Raise `UsageError` for invalid values, and print which values are changed or ignored."""
    hashing.check(options)
    display.check(options)
    if options.target_dir is not None and options.files_from is not None:
        messages.warn("Both 'target_dir' and `--files-from` option are specified. `target_dir` is ignored.")
    if options.bits != options.hash_bits:
        messages.warn(f"hash_bits must be the square of n. Use {options.bits} as hash_bits")


def _present(sets: Sequence[Set], options: Options, by: Engine) -> int:
    """Log and print the sets, or start the dialogue; return the exit code."""
    if options.log and sets:
        logs.write_found(sets, options, by)
    if options.query is not None:
        display.show([options.query], options)
        sys.stdout.write(output.query_line(options))
    if options.delete:
        return _delete(sets, options, by)
    for images in sets:
        display.show([image.path for image in images], options)
        sys.stdout.write(output.set_lines(images, options))
    if options.summarize:
        sys.stdout.write(output.summary(sets))
    return Exit.DONE


def _delete(sets: Sequence[Set], options: Options, by: Engine) -> int:
    """Run the dialogue and return the exit code; deletions are logged even if the dialogue ends with an error."""
    gone: list[str] = []
    left: dict[str, str] = {}

    def delete_and_record(kept: Sequence[Image], images: Sequence[Image]) -> Mapping[str, str]:
        why = delete(kept, images, None if options.files_from is not None else options.target_dir)
        left.update(why)
        return why

    try:
        for paths in Dialogue(options, delete_and_record).walk(sets):
            gone += paths
    finally:
        if options.log and gone:
            logs.write_deleted(gone, options, by)
    return Exit.REFUSED if left else Exit.DONE


def _with_reasons(rows: Sequence[Skipped]) -> list[str]:
    return [f"{row.path}: {row.reason}" for row in rows]
