"""Write the files of an export: each checked, renamed and noted in the journal, so that a stopped run continues."""

import contextlib
import os
import shutil
from collections.abc import Collection, Iterable, Iterator
from typing import BinaryIO, cast

from twinpix.errors import ImageError, RefusedError, StoppedError, system_reason
from twinpix.model import is_remote
from twinpix.progress import ProgressLike, progress_of
from twinpix.sources.base import Entry
from twinpix.sources.redundant import Left
from twinpix.sources.storage import open_file, status_of, unchanged
from twinpix.sources.uris import container
from twinpix.text import plural
from twinpix.usecases.exporting.checks import CHANGED, Checks
from twinpix.usecases.exporting.journal import Journal, Line
from twinpix.usecases.exporting.saved import text_of
from twinpix.usecases.exporting.shards import Exported, ExportPlan, Shard, key_of
from twinpix.usecases.exporting.tables import copy_table, verify_table
from twinpix.usecases.exporting.targets import Folder, Output, Store, Target

_COPIED = 4 << 20  # bytes that are copied at once
_COMPARED = 3  # members of each written file that are compared with those of its source


def write_export(plan: ExportPlan, *, progress: ProgressLike = None) -> Exported:
    """Write the containers of a plan to its target; the sources are only read, and no file is replaced.

    Images that changed since `find`, or whose keeper did, stay. Containers that an earlier run on the same report
    wrote are skipped.

    Raises:
        RefusedError: Another export writes there, the target has the journal of another report, or the disk is full.
        OutputError: The target cannot be written.
        StoppedError: The user stopped the run; the next one continues it.
    """
    shown = progress_of(progress)
    target: Target = Store(plan.target) if is_remote(plan.target) else Folder(plan.target)
    target.prepare()
    with Journal.open(target.journal(plan.report, plan.digest), plan.target, plan.report, plan.digest) as journal:
        done = Exported(journal.path)
        todo = [shard for shard in plan.shards if not _is_done(shard, journal, target, done)]
        _require_space(target, todo)
        checks = Checks(todo)
        try:
            with shown.stage("export", len(todo)):
                for shard in todo:
                    _write_shard(shard, journal, target, checks, done)
                    if done.stopped:
                        break
                    shown.advance()
            if not done.stopped:
                _write_descriptions(plan, journal, target, done)
        except KeyboardInterrupt:
            complete = plural(len(done.written) + done.already, "file is", "files are")
            raise StoppedError(
                f"stopped; {complete} complete in {plan.target}; run the same command to continue"
            ) from None
    return done


def _is_done(shard: Shard, journal: Journal, target: Target, done: Exported) -> bool:
    """True for a container that an earlier run wrote, or whose name another file has; removes what a kill left."""
    target.clean(shard.target, journal.id)
    line = journal.lines.get(shard.target)
    try:
        size = target.size(shard.target)
        mine = line is not None and (line.version, line.choice) == (shard.version.hex(), shard.digest)
        if size is None:
            return False
        if line is not None and mine and line.state == "made" and target.drop_reserved(shard.target):
            return False
        if line is not None and mine and size == line.bytes:
            if line.state == "done":
                done.complete.add(shard.target)
                done.already += 1
                return True
            if target.digest(shard.target) == line.digest:  # killed between the rename and the line after it
                journal.append(line._replace(state="done"))
                done.complete.add(shard.target)
                done.already += 1
                return True
    except (OSError, ImageError) as error:
        reason = error.reason if isinstance(error, ImageError) else system_reason(error)
        done.left.append(Left(shard.source, f"is not exported: its target cannot be used: {reason}"))
        return True
    changed = "it is of an earlier export with other options or of an older version of the archive"
    what = changed if line is not None else "it is not of an export of this report"
    done.left.append(Left(shard.source, f"is not exported: {shard.target} exists in the target, and {what}"))
    return True


def _require_space(target: Target, shards: Iterable[Shard]) -> None:
    need, free = sum(shard.size for shard in shards), target.free()
    if free is not None and need > free:
        raise RefusedError(
            f"the export needs up to {need:,} bytes, and {target.root} has {free:,} bytes free: nothing was written"
        )


def _write_shard(shard: Shard, journal: Journal, target: Target, checks: Checks, done: Exported) -> None:
    """Write one container, or note why not."""
    with _noting_errors(shard, journal, target, done):
        if status_of(shard.source).version != shard.version:
            raise ImageError("read", CHANGED)
        drop, left_out = set[str](), 0
        reasons = checks.reasons(shard)
        for sample in shard.samples:
            if any(reasons[image.uri] for image in sample.images):
                stays = [(image.path, reasons[image.uri]) for image in sample.images]
                done.left += [Left(path, f"stays: {why}") for path, why in stays if why]
            else:
                drop.update(sample.names)
                left_out += len(sample.images)
        temporary = target.temporary(shard.target, journal.id)
        with target.create(temporary) as out, unchanged(shard.source):
            _copy(shard.source, drop, out, shard.column)
            out.sync()
        if status_of(shard.source).version != shard.version:
            raise ImageError("read", CHANGED)
        kept = _verify(shard.source, temporary, drop, out.size, shard.column)
        line = Line(
            "made", shard.source, shard.version.hex(), shard.target, out.size, kept, left_out, out.digest, shard.digest
        )
        done.written.append(_finish(line, temporary, journal, target, done))


def _write_descriptions(plan: ExportPlan, journal: Journal, target: Target, done: Exported) -> None:
    """Write the files that describe tables, each if all its tables are complete."""
    for file in plan.descriptions:
        shard = Shard(file.source, file.target, file.size, file.version, 0)
        if missing := next((table for table in file.tables if table not in done.complete), ""):
            done.left.append(Left(file.source, f"is not exported: {missing} of the data set was not written"))
            continue
        before = Exported(journal.path)
        if _is_done(shard, journal, target, before):
            done.left += before.left
            continue
        with _noting_errors(shard, journal, target, done):
            text = text_of(file, target.root, journal.lines)
            temporary = target.temporary(shard.target, journal.id)
            with target.create(temporary) as out:
                out.write(text)
                out.sync()
            line = Line("made", file.source, file.version.hex(), file.target, out.size, 0, 0, out.digest, shard.digest)
            done.described.append(_finish(line, temporary, journal, target, done))


def _finish(line: Line, temporary: str, journal: Journal, target: Target, done: Exported) -> Line:
    """Give a complete file its name; raises `OSError` or `ImageError`."""
    journal.append(line)
    target.finish(temporary, line.target)
    journal.append(line := line._replace(state="done"))
    done.complete.add(line.target)
    return line


@contextlib.contextmanager
def _noting_errors(shard: Shard, journal: Journal, target: Target, done: Exported) -> Iterator[None]:
    """Note an error of a file that is written instead of raising it; at the end, remove its temporary file."""
    try:
        yield
    except FileExistsError:
        done.left.append(Left(shard.source, f"is not exported: {shard.target} exists in the target"))
    except ImageError as error:
        done.left.append(Left(shard.source, f"is not exported: {error.reason}"))
    except OSError as error:
        done.left.append(
            Left(shard.source, f"is not exported: {shard.target} cannot be written: {system_reason(error)}")
        )
        if target.is_full(error):
            done.stopped = f"stopped, because {target.root} is full; run the same command to continue"
    finally:
        target.clean(shard.target, journal.id)


def _copy(path: str, drop: Collection[str], out: Output, column: str) -> None:
    """Write a file without these members or rows; one from which nothing is left out is copied byte by byte."""
    if drop and column:
        copy_table(path, drop, cast("BinaryIO", out))
        return
    if drop:
        source = container(path)
        assert source is not None
        source.copy_without(path, drop, cast("BinaryIO", out))
        return
    with contextlib.closing(open_file(path)) as file:
        shutil.copyfileobj(file, out, _COPIED)


def _verify(path: str, made: str, drop: Collection[str], size: int, column: str) -> int:
    """Compare a written file with its source; return the number of its members, 0 if nothing was left out.

    Raises `ImageError` unless its members are those of the source without `drop`, in their order.
    """
    if os.path.getsize(made) != size:
        raise ImageError("write", "the written file has another size than was written; check the disk")
    if not drop:
        if size != status_of(path).size:
            raise ImageError("read", CHANGED)
        return 0
    if column:
        return verify_table(path, made, column, drop)
    source = container(path)
    assert source is not None
    rows = {key_of(name, rows=True) for name in drop} if source.rows else set[str]()
    kept = [
        entry
        for entry in source.entries(path)
        if (key_of(entry.name, rows=True) not in rows if source.rows else entry.name not in drop)
    ]
    found = list(source.entries(made))

    def facts(entry: Entry) -> tuple[str, int, bool]:  # the numbers of rows change
        return "" if source.rows else entry.name, entry.size, bool(entry.error)

    if [facts(entry) for entry in kept] != [facts(entry) for entry in found]:
        raise ImageError("write", "the written file has other members than planned; nothing was exported of it")
    sound = [pair for pair in zip(kept, found, strict=True) if not pair[0].error]
    for old, new in sound[:: max(1, len(sound) // (_COMPARED - 1) - 1)][:_COMPARED]:
        try:
            before = source.read(path, old.name).data
        except ImageError:  # it was unreadable before
            continue
        if source.read(made, new.name).data != before:
            raise ImageError("write", f"{new.name} has other bytes in the written file; check the disk")
    return len(found)
