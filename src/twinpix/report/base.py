"""The interface of a report format, and distances and relations in words."""

import io
import os
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar, Protocol, cast

from twinpix import outputs, plugins
from twinpix.errors import UsageError
from twinpix.model import DistanceUnit, Match, Report
from twinpix.outputs import Kind
from twinpix.text import plural


class Writer(Protocol):
    """Converts a report to text, or to bytes.

    Optional attributes: `binary: ClassVar[bool]`, True if `parts` yields bytes, which are not written to a terminal.
    The tests of all formats read two more: `lists_failures: ClassVar[bool]`, False if the format does not list
    failures, and `syntax: ClassVar[str]`, the characters that the format escapes in names ("" for none).
    """

    kind: ClassVar[Kind]  # recognises an earlier file of this format, which a new one may replace
    suffixes: ClassVar[tuple[str, ...]]  # files with these suffixes have this format by default

    def parts(self, report: Report) -> Iterator[Any]:
        """Yield text (`str`) or bytes in parts, so that a report of a million images does not fill the memory."""


def is_binary(chosen: Writer) -> bool:
    """True for a format that yields bytes."""
    return bool(getattr(chosen, "binary", False))


def is_table(data: bytes) -> bool:
    """True for the first bytes of a Parquet or Arrow file, of twinpix or of any other program."""
    return data.startswith((b"PAR1", b"ARROW1"))


def writer(name: str) -> Writer:
    return cast(Writer, plugins.make("report", name))


def format_of(path: str, also: Iterable[str] = ()) -> str:
    """Return the format of a file's suffix, JSON without one.

    Raises `UsageError` for an unknown suffix, which lists the known ones and those in `also`.
    """
    suffix = os.path.splitext(path)[1].lower()
    known = {suffix: name for name in plugins.names("report") for suffix in plugins.load("report", name).suffixes}
    if suffix and suffix not in known:
        raise UsageError(
            f"no format is written to files that end in {suffix} ({', '.join(sorted([*known, *also]))} are known): "
            "name another file, or choose a format"
        )
    return known.get(suffix, "json")


def kind_of(data: bytes) -> Kind | None:
    """Return the kind of a report or page in another format than JSON; None for any other file."""
    kinds = [plugins.load("report", name).kind for name in plugins.names("report") if name != "json"]
    return next((kind for kind in (*kinds, outputs.PAGE) if kind.is_ours(io.BytesIO(data))), None)


def save(report: Report, path: str, *, force: bool = False) -> None:
    """Write a report in the format of the suffix; raises as `twinpix.outputs.write` does."""
    chosen = writer(format_of(path))
    outputs.write(path, encode_text(chosen.parts(report)), chosen.kind, force=force)


def encode_text(parts: Iterable[str] | Iterable[bytes]) -> Iterator[bytes]:
    """Encode text as UTF-8, with undecodable bytes of file names as they are on disk; bytes are unchanged."""
    return (part if isinstance(part, bytes) else part.encode("utf-8", "surrogateescape") for part in parts)


def describe_difference(pair: Match, unit: DistanceUnit) -> str:
    """Return in words how the second image of a pair differs from the first."""
    if pair.identical:
        return pair.relation
    if pair.agrees is not None:
        return f"{pair.detail or pair.relation}, {pair.agrees:.0%} alike"
    if pair.distance is None:
        return pair.detail or pair.relation
    return f"{pair.detail or pair.relation}, {describe_distance(pair.distance, unit)}"


def describe_distance(distance: float, unit: DistanceUnit) -> str:
    """Return a distance in words: `2 bits apart`, `cosine 0.93` or `93% alike`."""
    if unit == "bits":
        return f"{plural(int(distance), 'bit')} apart"
    return f"{1 - distance:.0%} alike" if unit == "share" else f"cosine {1 - distance:.2f}"


def describe_low_detail(by_keypoints: bool) -> str:
    """Return in words how an image with too little texture for a hash is matched."""
    return f"matched only when identical{', or by their keypoints' if by_keypoints else ''}"
