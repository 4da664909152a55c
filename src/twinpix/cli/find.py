"""`twinpix find`."""

import sys
from enum import StrEnum
from typing import Annotated

import typer

from twinpix.cli import common
from twinpix.cli.common import DecodeName, StrictnessName
from twinpix.cli.show import progress
from twinpix.errors import Exit, UsageError
from twinpix.keep import DEFAULT as DEFAULT_KEEP
from twinpix.pipeline.options import DEFAULT_METHOD


class FormatName(StrEnum):
    text = "text"
    json = "json"
    csv = "csv"
    fdupes = "fdupes"


def find(
    paths: Annotated[list[str] | None, typer.Argument(metavar="PATH...", help="Folders and images.")] = None,
    method: common.MethodOption = DEFAULT_METHOD,
    radius: common.RadiusOption = None,
    strictness: common.StrictnessOption = StrictnessName.normal,
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
    guard: common.GuardOption = True,
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write the report there (JSON unless --format says else)."),
    ] = None,
    format: Annotated[
        FormatName | None,
        typer.Option("--format", "-f", help="Of the report; default: text, or json with -o."),
    ] = None,
    decode: common.DecodeOption = DecodeName.fast,
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
    from twinpix import pipeline, report, sources
    from twinpix.report.base import encoded
    from twinpix.report.text import summary

    given = list(paths or [])
    if files_from:
        given += sources.names_from(files_from)
        if not given:
            raise UsageError(f"the list {files_from} names no file")
    found = pipeline.find(
        given,
        pipeline.Options(
            method=method,
            radius=radius,
            strictness=strictness.value,
            transforms=transforms,
            search=search,
            link=link,
            keep=keep,
            reference=tuple(reference or ()),
            cross=cross,
            recursive=recursive,
            hidden=hidden,
            follow_links=follow_links,
            guard=guard,
            decode=decode.value,
            workers=workers,
            timeout=timeout,
            store=common.store_of(store, no_store),
        ),
        listed=bool(files_from),
        progress=progress(),
    )
    chosen = format or (FormatName.json if output else FormatName.text)
    parts = encoded(report.writer(chosen.value).parts(found))
    if output:
        report.write_file(output, parts)
        sys.stdout.write(summary(found))
        sys.stdout.write(f"report: {output}\n")
    else:
        sys.stdout.flush()
        sys.stdout.buffer.writelines(parts)
        if chosen not in (FormatName.text, FormatName.json):
            sys.stderr.write(summary(found))
    if strict and found.failures:
        return Exit.SOME_FAILED
    if fail_if_found and found.groups:
        return Exit.FOUND
    return Exit.DONE
