"""`twinpix find`."""

import sys
from typing import Annotated

import typer

from twinpix.cli import common
from twinpix.cli.common import DecodeName, StrictnessName
from twinpix.errors import Exit, UsageError
from twinpix.keep import DEFAULT as DEFAULT_KEEP
from twinpix.pipeline.options import DEFAULT_METHOD
from twinpix.pipeline.terminal import progress


def find(
    paths: Annotated[list[str] | None, typer.Argument(metavar="PATH...", help="Folders and images.")] = None,
    method: common.MethodOption = DEFAULT_METHOD,
    radius: common.RadiusOption = None,
    threshold: common.ThresholdOption = None,
    strictness: common.StrictnessOption = StrictnessName.normal,
    precision: Annotated[
        float | None,
        typer.Option(
            "--precision",
            metavar="SHARE",
            help="Find the radius of which this share of the matches is right (0.999), by a look at some of them.",
        ),
    ] = None,
    transforms: common.TransformsOption = False,
    search: common.SearchOption = "auto",
    link: Annotated[
        str,
        typer.Option(
            "--link",
            metavar="RULE",
            help="star: all match what stays; complete: all match all; components: chains.",
        ),
    ] = "star",
    keep: Annotated[
        str,
        typer.Option(
            "--keep",
            metavar="RULES",
            help="Tie-breakers, comma-separated: resolution, filesize, format, oldest, newest, shortest, path[:GLOB].",
        ),
    ] = DEFAULT_KEEP,
    reference: Annotated[
        list[str] | None,
        typer.Option("--reference", metavar="DIR", help="Images to compare with that always stay; may be repeated."),
    ] = None,
    cross: Annotated[
        bool, typer.Option("--cross", help="Only pairs between different PATHs (train/test leakage).")
    ] = False,
    files_from: Annotated[
        str | None,
        typer.Option("--files-from", metavar="FILE|-", help="Also the files named there, one a line or NUL-separated."),
    ] = None,
    recursive: common.RecursiveOption = True,
    hidden: common.HiddenOption = False,
    follow_links: common.FollowOption = False,
    verify: common.VerifyOption = None,
    guard: common.GuardOption = True,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Write the report there (JSON unless --format says else); - is stdout.",
        ),
    ] = None,
    format: Annotated[
        str | None,
        typer.Option(
            "--format", "-f", metavar="NAME", help="text, json, csv or fdupes; default: text, or json with -o."
        ),
    ] = None,
    decode: common.DecodeOption = DecodeName.fast,
    device: common.DeviceOption = "",
    workers: common.WorkersOption = 0,
    timeout: common.TimeoutOption = 60.0,
    store: common.StoreOption = None,
    no_store: common.NoStoreOption = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 when an image could not be used.")] = False,
    fail_if_found: Annotated[
        bool, typer.Option("--fail-if-found", help="Exit with 10 when there are duplicates.")
    ] = False,
) -> int:
    """Find the groups of images that are the same picture, and report which to keep.

    Touches none of the images. Codes are kept in a store, so a second run, or one that was stopped, goes
    on from there.
    """
    chosen = common.options(locals())
    from twinpix import pipeline, report, sources
    from twinpix.report.base import encoded
    from twinpix.report.text import summary

    to_file = output is not None and output != "-"
    name = format or ("json" if to_file else "text")
    writer = report.writer(name)
    if output is not None and to_file:
        report.require_folder(output)
    listed = sources.names_from(files_from) if files_from else []
    if files_from and not listed and not paths:
        raise UsageError(f"the list {files_from} names no file")
    found = pipeline.find(paths or [], chosen, listed=listed, progress=progress())
    parts = encoded(writer.parts(found))
    if output is not None and to_file:
        report.write_file(output, parts)
        sys.stdout.write(summary(found))
        sys.stdout.write(f"report: {output}\n")
    else:
        sys.stdout.flush()
        sys.stdout.buffer.writelines(parts)
        if name not in ("text", "json"):
            sys.stderr.write(summary(found))
    if strict and found.failures:
        return Exit.SOME_FAILED
    if fail_if_found and found.groups:
        return Exit.FOUND
    return Exit.DONE
