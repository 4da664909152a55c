"""Options that several commands share, and how they print plans."""

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from twinpix import plugins
from twinpix.errors import RefusedError, UsageError

if TYPE_CHECKING:
    from twinpix.encoding.options import Options
    from twinpix.model import Failure
    from twinpix.search import Backend

_SHOWN_FAILURES = 10  # a longer list would hide the summary above it


class DecodeName(StrEnum):
    fast = "fast"
    reference = "reference"


class StrictnessName(StrEnum):
    exact = "exact"
    strict = "strict"
    normal = "normal"
    loose = "loose"


class Sidecars(StrEnum):
    keep = "keep"
    same = "same"
    all = "all"


def fill_help(text: str) -> str:
    """Return a help text with the words of the plugins in place of names in braces, such as `{search}`.

    Called when a help text is shown, since it loads the plugins.
    """
    words: dict[str, Callable[[], str]] = {
        "{search}": _search_words,
        "{linking}": _linking_words,
        "{archives}": partial(_suffixes_of, "sources"),
        "{suffixes}": partial(_suffixes_of, "report", ".html"),
    }
    for place, write in words.items():
        text = text.replace(place, write()) if place in text else text
    return text


def _search_words() -> str:
    """Return the search back ends that come with twinpix, the exact ones first."""
    parts = ["auto (exact)"]
    backends = {name: plugins.load("search", name) for name in plugins.own("search")}
    for title, exact in (("exact", True), ("approximate", False)):
        names = [f"{name} ({_metrics(each)})" for name, each in backends.items() if each.exact is exact]
        parts += [f"{title}: {', '.join(names)}"] if names else []
    return "; ".join(parts)


def _metrics(backend: type["Backend"]) -> str:
    words = {"hamming": "bits", "cosine": "vectors"}
    return " and ".join(words[metric] for metric in backend.metrics)


def _linking_words() -> str:
    """Return the linking rules that come with twinpix, each with what it requires of a group."""
    return "; ".join(f"{name}: {plugins.load('linking', name).summary}" for name in plugins.own("linking"))


def _suffixes_of(kind: str, *more: str) -> str:
    """Return the suffixes of the plugins of a kind that come with twinpix, and `more`, which are of no plugin."""
    loaded = (plugins.load(kind, name) for name in plugins.own(kind))
    return ", ".join(sorted([*more, *(suffix for each in loaded for suffix in each.suffixes)]))


PATHS_HELP = "Folders, images, archives and tables of images ({archives}), and URLs of these (s3://, https://)."
PATH_HELP = "Folder, image, archive or table of images ({archives}), or URL"
MethodOption = Annotated[
    str | None,
    typer.Option("--method", "-m", metavar="SPEC", help="How images are compared (see methods). Default: cascade."),
]
FastOption = Annotated[
    bool,
    typer.Option(
        "--fast", help="Compare by a hash alone, unverified: misses crops, borders, rotations and many edits."
    ),
]
RadiusOption = Annotated[
    float | None,
    typer.Option(
        "--radius",
        "-r",
        metavar="N",
        help="Largest distance that still matches: bits, a cosine distance, or the share of the pixels that differs.",
    ),
]
DeviceOption = Annotated[
    str,
    typer.Option("--device", metavar="NAME", help="Device that runs a network: auto, cpu, cuda, coreml or directml."),
]
StrictnessOption = Annotated[
    StrictnessName, typer.Option("--strictness", "-s", help="Radius as measured for the method.")
]
TransformsOption = Annotated[
    bool | None,
    typer.Option(
        "--transforms/--no-transforms",
        "-t",
        help="Also find rotated (by quarter turns) and mirrored copies; local and cascade do so by default.",
    ),
]
DecodeOption = Annotated[
    DecodeName,
    typer.Option("--decode", help="fast, or reference: bit for bit as imagededup and ImageHash decode."),
]
SearchOption = Annotated[
    str,
    typer.Option(
        "--search",
        metavar="SPEC",
        help="{search}.",
    ),
]
RecursiveOption = Annotated[bool, typer.Option("--recursive/--no-recursive", help="Search sub-folders.")]
HiddenOption = Annotated[bool, typer.Option("--hidden", help="Also search hidden and service folders.")]
FollowOption = Annotated[
    bool, typer.Option("--follow-links", help="Follow symbolic links to folders, each folder once.")
]
ExcludeOption = Annotated[
    list[str] | None,
    typer.Option(
        "--exclude", metavar="GLOB", help="Leave out matching names (paths if it has a slash); may be repeated."
    ),
]
TableOption = Annotated[
    str | None,
    typer.Option("--table", metavar="FILE", help="Also the images that a .csv, .jsonl or .parquet table names."),
]
ColumnOption = Annotated[
    str,
    typer.Option(
        "--column",
        metavar="NAME",
        help="Column of paths or URLs in --table, or of images in Parquet and Arrow files.",
        show_default="the first that fits",
    ),
]
IdOption = Annotated[
    str, typer.Option("--id", metavar="NAME", help="Column of --table with ids, which the results repeat.")
]
MinSizeOption = Annotated[int, typer.Option("--min-size", min=0, metavar="BYTES", help="Leave out smaller files.")]
MinPixelsOption = Annotated[
    int, typer.Option("--min-pixels", min=0, metavar="N", help="Leave out images of fewer pixels (width times height).")
]
WorkersOption = Annotated[int, typer.Option("--workers", "-j", min=0, metavar="N", help="Processes; 0: one per core.")]
ExecutorOption = Annotated[
    str,
    typer.Option(
        "--executor",
        metavar="NAME",
        help="Where images are processed: local, ray (on this machine) or ray:address=ADDRESS, a Ray cluster.",
    ),
]
WorkOption = Annotated[
    str | None,
    typer.Option(
        "--work",
        metavar="FOLDER",
        help="Leave all results in FOLDER, also in a store (s3://bucket/run), and continue from it on any machine.",
    ),
]
TimeoutOption = Annotated[
    float, typer.Option("--timeout", min=0.1, metavar="SECONDS", help="Time limit for one image.")
]
StoreOption = Annotated[
    str | None,
    typer.Option("--store", metavar="FILE", help="File with stored results; default: in the cache folder."),
]
NoStoreOption = Annotated[bool, typer.Option("--no-store", help="Store nothing between runs.")]
VerifyOption = Annotated[
    bool | None,
    typer.Option("--verify/--no-verify", help="Verify each pair on its pixels; local and cascade always do."),
]
GuardOption = Annotated[
    bool,
    typer.Option(
        "--guard/--no-guard",
        help="Match images with too little texture for a hash by keypoints or identity only.",
    ),
]

ForceOption = Annotated[bool, typer.Option("--force", help="Let an output replace a file that twinpix did not write.")]


def specs(text: str) -> list[str]:
    """Split methods at commas; an option of a method may follow a comma too (`phash:size=8,flavour=imagehash`)."""
    out: list[str] = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        if out and "=" in part and ":" not in part:
            out[-1] += f",{part}"
        else:
            out.append(part)
    if not out:
        raise UsageError("name at least one method")
    return out


def print_failures(failures: Sequence["Failure"]) -> None:
    """List the first files that could not be used, with the reasons, on stderr."""
    from twinpix.text import printable

    for failure in failures[:_SHOWN_FAILURES]:
        typer.echo(f"  {printable(failure.path)}: {failure.error}", err=True)


def print_plan(lines: Iterable[str], *, apply: bool) -> None:
    """Print a plan; raises `RefusedError` if the output is closed before its end and the plan would be applied."""
    try:
        sys.stdout.writelines(f"{line}\n" for line in lines)
        sys.stdout.flush()
    except BrokenPipeError:
        if not apply:
            raise
        raise RefusedError("the output was closed before the end of the plan: nothing was done") from None


def options(given: Mapping[str, Any]) -> "Options":
    """Convert the arguments of a command to the options of the library."""
    from twinpix.encoding.options import FAST_METHOD, Options

    if given.get("fast"):
        if given["method"] is not None:
            raise UsageError("give --fast or --method, not both")
        given = {**given, "method": FAST_METHOD, "verify": bool(given["verify"])}
    if given["store"] is not None and given["no_store"]:
        raise UsageError("give --store or --no-store, not both")
    names = {field.name for field in fields(Options)} - {"store"}
    values = {key: getattr(value, "value", value) for key, value in given.items() if key in names}
    values = {key: value for key, value in values.items() if value is not None}
    return Options(**values, store=None if given["no_store"] else given["store"] or "default")
