"""The sets as text, to the byte as imgdupes prints them."""

from collections.abc import Sequence

from twinpix.compat.imgdupes.grouping import Set
from twinpix.compat.imgdupes.options import Options
from twinpix.text import without_controls


def query_line(options: Options) -> str:
    """What stands above the set of a query; nothing without one."""
    return "" if options.query is None else f"Query: {options.query}\n\n"


def set_lines(images: Set, options: Options) -> str:
    """A path a line and an empty line, or all on one line; control characters in a name are escaped."""
    paths = [without_controls(image.path) for image in images]
    return " ".join(paths) + "\n" if options.sameline else "\n".join(paths) + "\n\n"


def summary(sets: Sequence[Set]) -> str:
    """How many images are in sets, and what they take in thousands of bytes."""
    images = [image for images in sets for image in images]
    if not images:
        return "No duplicates found.\n"
    kilobytes = sum(image.bytes for image in images) // 1000
    return f"{len(images)} duplicate files (in {len(sets)} sets), occupying {kilobytes} KB\n"
