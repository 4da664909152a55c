"""Compute hashes of images with the conventions of ImageHash."""

from collections.abc import Sequence
from typing import NamedTuple

from twinpix import fingerprints
from twinpix.compat.imgdupes import messages
from twinpix.compat.imgdupes.options import Options
from twinpix.errors import UsageError
from twinpix.model import Bytes2D, Failure, Fingerprints, Traits
from twinpix.progress.terminal import progress
from twinpix.usecases.encode import encode_files


class Image(NamedTuple):
    """An image file with a hash."""

    path: str
    bytes: int
    mtime_ns: int
    width: int
    height: int
    damaged: bool  # truncated, or with lost sectors
    digest: str  # of the bytes that were hashed
    traits: Traits | None = None  # None: unknown
    link: bool = False  # reached through a symbolic link


def check(options: Options) -> None:
    """Raise `UsageError` if the hash method does not exist in the requested number of bits."""
    try:
        fingerprints.make(options.spec)
    except UsageError as error:
        raise UsageError(
            f"{options.hash_method} does not come in {options.bits} bits (size {options.side}): {error.reason}"
        ) from None


def hash_files(names: Sequence[str], options: Options) -> tuple[list[Image], Bytes2D, list[Failure]]:
    """Return the images among these files in the same order, their hashes `(n, bytes)`, and the failures."""
    prints = _encode(names, options)
    refs, known = prints.refs, zip(prints.sizes, prints.damaged, prints.digests, prints.traits, strict=True)
    rows = zip(refs.uris, refs.sizes.tolist(), refs.times.tolist(), known, refs.links.tolist(), strict=True)
    images = [
        Image(path, size, mtime, *shape, damaged, digest, traits, link)
        for path, size, mtime, (shape, damaged, digest, traits), link in rows
    ]
    return images, prints.codes, prints.failures


def hash_of_query(name: str, options: Options) -> Bytes2D:
    """Return the hash `(1, bytes)` of one image; raises `UsageError` if it cannot be computed."""
    prints = _encode([name], options)
    if not len(prints.codes):
        why = prints.failures[0].error if prints.failures else "not an image"
        raise UsageError(f"cannot use {name} as a query: {why}")
    codes: Bytes2D = prints.codes
    return codes


def report_failures(images: Sequence[Image], failures: Sequence[Failure]) -> None:
    """Print which files could not be used, and which are damaged."""
    messages.name_files(
        "these files could not be used; they are in no set",
        [f"{failure.path}: {failure.error}" for failure in sorted(failures, key=lambda failure: failure.path)],
    )
    messages.name_files("part of these images is missing", [image.path for image in images if image.damaged])


def _encode(names: Sequence[str], options: Options) -> Fingerprints:
    (prints,) = encode_files(
        names,
        [options.spec],
        decode="reference",
        workers=options.num_proc or 0,
        store=None if options.no_cache else "default",
        progress=progress(),
    ).values()
    return prints
