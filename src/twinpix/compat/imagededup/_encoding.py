"""A folder's images to codes, seen as imagededup sees a folder, and what it says of arguments."""

import os
import warnings
from typing import Any, NamedTuple

from twinpix.compat.imagededup.utils.general_utils import generate_files, generate_relative_names
from twinpix.compat.imagededup.utils.image_utils import IMG_FORMATS, invalid
from twinpix.model import Bytes2D
from twinpix.pipeline.encoding import encode_files
from twinpix.pipeline.terminal import progress

UNSET = -1  # a number of workers that nobody gave


class Coded(NamedTuple):
    """The images of a folder that can be read: their names relative to it, and `(n, bytes)` codes."""

    names: list[str]
    codes: Bytes2D


def coded(image_dir: Any, spec: str, *, recursive: bool, num_enc_workers: int, verbose: bool) -> Coded:
    """Code a folder's images by the method `spec`; the log says which files cannot be read.

    Codes are kept in twinpix's store, so that a run that was stopped goes on where it was. Raises
    `ValueError` when there is no such folder.
    """
    files = list(map(os.fspath, generate_files(image_dir, recursive)))
    found = encode_files(
        files,
        [spec],
        decode="reference",
        workers=0 if num_enc_workers == UNSET else max(1, num_enc_workers),
        progress=progress(verbose),
    )
    (prints,) = found.values()
    for failure in prints.failures:
        invalid(failure.path, failure.error)
    kept, uris = [], prints.refs.uris
    for row, (form, damaged) in enumerate(zip(prints.formats, prints.damaged, strict=True)):
        if form in IMG_FORMATS and not damaged:
            kept.append(row)
        else:
            invalid(uris[row], "truncated" if damaged else f"{form} is not read here")
    return Coded(generate_relative_names(image_dir, [uris[row] for row in kept]), prints.codes[kept])


def threads_of(workers: int) -> int:
    """Threads for so many workers; 0, as many as the search takes by itself, when nobody gave a number."""
    return 0 if workers == UNSET else max(0, workers)


def check_input(image_dir: Any, encoding_map: Any, *, recursive: bool, num_enc_workers: int) -> None:
    """Raise `ValueError` without images and encodings; warn of what has no effect when there are encodings."""
    if image_dir:
        return
    if not encoding_map:
        raise ValueError("Provide either an image directory or encodings!")
    if recursive:
        warnings.warn("recursive parameter is irrelevant when using encodings.", SyntaxWarning, stacklevel=3)
    if num_enc_workers != UNSET:
        warnings.warn(
            "Parameter num_enc_workers has no effect since encodings are already provided",
            RuntimeWarning,
            stacklevel=3,
        )
