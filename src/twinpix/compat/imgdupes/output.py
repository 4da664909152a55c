"""Format the sets as text, byte for byte as imgdupes prints them."""

from collections.abc import Sequence

from twinpix.compat.imgdupes.grouping import Set
from twinpix.compat.imgdupes.options import Options
from twinpix.text import without_controls


def query_line(options: Options) -> str:
    """Return the heading of a query's set; an empty string without a query."""
    return "" if options.query is None else f"Query: {options.query}\n\n"


def set_lines(images: Set, options: Options) -> str:
    """Return one path per line and an empty line, or all on one line; control characters are escaped."""
    paths = [without_controls(image.path) for image in images]
    return " ".join(paths) + "\n" if options.sameline else "\n".join(paths) + "\n\n"


def summary(sets: Sequence[Set]) -> str:
    """Return a line with the number of images in sets and their size in thousands of bytes."""
    images = [image for images in sets for image in images]
    if not images:
        return "No duplicates found.\n"
    kilobytes = sum(image.bytes for image in images) // 1000
    return f"{len(images)} duplicate files (in {len(sets)} sets), occupying {kilobytes} KB\n"
