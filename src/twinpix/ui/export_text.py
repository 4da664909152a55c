"""A plan of an export, and what was written, in words and as JSON."""

import os
from collections.abc import Iterator

from twinpix.report.json import dumps
from twinpix.sources.redundant import Left
from twinpix.text import bytes_text, plural, printable
from twinpix.ui.outcome_text import shorten_path
from twinpix.usecases.exporting.shards import Exported, ExportPlan

_LISTED = 20  # images that stay, by line; the others are counted


def lines(plan: ExportPlan) -> Iterator[str]:
    """Yield the plan: one line for each container, what stays and why, and the totals."""
    here = f"{os.getcwd()}{os.sep}"
    for shard in plan.shards:
        what = f"{plural(shard.images, 'image')}, {shard.left_out:,} left out"
        if shard.column:
            what += f" with {plural(len(shard.names), 'row')}"
        elif others := len(shard.names) - shard.left_out:
            what += f" with {plural(others, 'other file')}"
        yield f"  write  {printable(shard.target)}  ({what}, {bytes_text(shard.size)})"
    for file in plan.descriptions:
        yield f"  write  {printable(file.target)}  (describes the data set)"
    yield from _left(plan.unreadable, here)
    yield from _left(plan.left, here)
    yield from _stay(plan)
    yield _sum(plan)


def noun(plan: ExportPlan, count: int = 2) -> str:
    """Return what the files of a plan are called: archives, or tables if all are tables of locations."""
    one = "table" if plan.shards and all(shard.column for shard in plan.shards) else "archive"
    return one if count == 1 else f"{one}s"


def _stay(plan: ExportPlan) -> Iterator[str]:
    if any(shard.column for shard in plan.shards):
        yield "only rows of the table are left out: the images themselves are not touched"
        if plan.relative:
            yield "relative paths in the table begin at its own folder: put the new table there, under another name"
    for count, why in (
        (plan.with_sample, "another image of the same sample (webdataset key or table row) stays"),
        (plan.linked, "a link in the archive leads to the image or a file of its sample"),
        (plan.same_name, "the archive has several members of one name"),
    ):
        if count:
            yield f"{plural(count, 'redundant image')} {'stays' if count == 1 else 'stay'}: {why}"
    if count := plan.unnamed:
        files = plural(count, "file with the name of an image is", "files with the names of images are")
        yield f"{files} left out with their sample, although the report does not name them"
    if count := plan.not_exported:
        what = "is a file or object of its own and is" if count == 1 else "are files or objects of their own and are"
        yield f"{plural(count, 'image')} {what} not exported: use --move, --copy-kept or another action"
    if count := plan.references:
        yield f"{plural(count, 'archive')} of references {'is' if count == 1 else 'are'} not exported"


def _left(left: list[Left], here: str) -> Iterator[str]:
    for row in left[:_LISTED]:
        yield f"  left   {shorten_path(row.path, here)}: {printable(row.reason)}"
    if len(left) > _LISTED:
        yield f"  left   {plural(len(left) - _LISTED, 'further row')}; --json lists all"


def _sum(plan: ExportPlan) -> str:
    images, files = sum(shard.images for shard in plan.shards), f"{len(plan.shards):,} {noun(plan, len(plan.shards))}"
    return (
        f"{files} to write to {printable(plan.target)}: {plural(images, 'image')}, "
        f"{plan.left_out:,} left out; {bytes_text(plan.bytes)} before"
    )


def result(plan: ExportPlan, done: Exported) -> Iterator[str]:
    """Yield what was written, what was left and why."""
    size, left_out = sum(line.bytes for line in done.written), sum(line.left_out for line in done.written)
    files = f"{len(done.written):,} {noun(plan, len(done.written))}"
    text = f"{files} written, {bytes_text(size)}, without {plural(left_out, 'image')}"
    yield text + (f"; {done.already:,} written before" if done.already else "")
    yield from _left(done.left, f"{os.getcwd()}{os.sep}")
    if done.stopped:
        yield done.stopped
    if done.written:
        yield f"journal with the digest of each file: {printable(done.journal)}"


def as_json(plan: ExportPlan, done: Exported | None = None) -> str:
    """Return a plan, and the result of it, as JSON; paths are absolute."""
    value = {
        "target": plan.target,
        "images": sum(shard.images for shard in plan.shards),
        "left_out": plan.left_out,
        "bytes": plan.bytes,
        "archives": [
            {
                "source": shard.source,
                "target": shard.target,
                "bytes": shard.size,
                "images": shard.images,
                "left_out": [image.path for sample in shard.samples for image in sample.images],
                "files_left_out": len(shard.names),
                "column": shard.column,
            }
            for shard in plan.shards
        ],
        "descriptions": [{"source": file.source, "target": file.target} for file in plan.descriptions],
        "stay": {"with_sample": plan.with_sample, "linked": plan.linked, "same_name": plan.same_name},
        "left_out_unnamed": plan.unnamed,
        "not_exported": plan.not_exported,
        "references": plan.references,
        "left": [
            {"path": row.path, "reason": row.reason}
            for row in (*plan.unreadable, *plan.left, *(done.left if done else ()))
        ],
    }
    if done is not None:
        value["done"] = {
            "archives": [line._asdict() for line in done.written],
            "descriptions": [line._asdict() for line in done.described],
            "already": done.already,
            "stopped": done.stopped,
            "journal": done.journal,
        }
    return dumps(value)
