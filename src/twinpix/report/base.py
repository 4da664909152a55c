"""What a writer offers, and words for numbers."""

import os
from collections.abc import Iterable, Iterator
from typing import ClassVar, Protocol, cast

from twinpix import outputs, plugins
from twinpix.errors import UsageError
from twinpix.model import Match, Report
from twinpix.outputs import Kind
from twinpix.text import plural


class Writer(Protocol):
    """Turns a report into text."""

    kind: ClassVar[Kind]  # how an earlier file of this writer is known, which a new one may replace
    suffixes: ClassVar[tuple[str, ...]]  # of the files that are written this way unless --format says else

    def parts(self, report: Report) -> Iterator[str]:
        """The text in parts that are made one by one: a report of a million images does not fill the memory."""


def writer(name: str) -> Writer:
    return cast(Writer, plugins.make("report", name))


def format_of(path: str) -> str:
    """The format that a file's suffix names, JSON without a suffix; raises `UsageError` for a suffix of no format."""
    suffix = os.path.splitext(path)[1].lower()
    known = {suffix: name for name in plugins.names("report") for suffix in plugins.load("report", name).suffixes}
    if suffix and suffix not in known:
        raise UsageError(
            f"no format is written to files that end in {suffix} ({', '.join(sorted(known))} are known): "
            "name another file, or say --format"
        )
    return known.get(suffix, "json")


def save(report: Report, path: str, *, force: bool = False) -> None:
    """Write a report in the format that the suffix names; raises as `twinpix.outputs.write` does."""
    chosen = writer(format_of(path))
    outputs.write(path, encoded(chosen.parts(report)), chosen.kind, force=force)


def encoded(parts: Iterable[str]) -> Iterator[bytes]:
    """UTF-8 in which a file name's undecodable bytes are what they are on disk."""
    return (part.encode("utf-8", "surrogateescape") for part in parts)


def differs(pair: Match, *, in_bits: bool) -> str:
    """How the second of a pair differs from the first, in words; `in_bits` as of the report."""
    if pair.relation.startswith("identical"):
        return pair.relation
    if pair.agrees is not None:
        return f"{pair.detail or pair.relation}, {pair.agrees:.0%} alike"
    if pair.distance is None:
        return pair.detail or pair.relation
    return f"{pair.detail or pair.relation}, {apart(pair.distance, in_bits=in_bits)}"


def apart(distance: float, *, in_bits: bool) -> str:
    """How far two pictures of a report are from one another: `2 bits apart`, or `cosine 0.93`."""
    return f"{plural(int(distance), 'bit')} apart" if in_bits else f"cosine {1 - distance:.2f}"


def matched_only(by_keypoints: bool) -> str:
    """How an image with too little detail for its hash is matched."""
    return f"matched only when identical{', or by its points' if by_keypoints else ''}"
