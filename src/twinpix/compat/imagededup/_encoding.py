"""Encode the images of a folder with the rules of imagededup."""

import os
from typing import Any, NamedTuple

from twinpix.compat.imagededup._arguments import is_given
from twinpix.compat.imagededup._progress import progress
from twinpix.compat.imagededup.utils.general_utils import generate_files, generate_relative_names
from twinpix.compat.imagededup.utils.image_utils import IMG_FORMATS, invalid
from twinpix.model import Bytes2D
from twinpix.usecases.encode import encode_files


class EncodedFolder(NamedTuple):
    """The readable images of a folder: names relative to it, and codes `(n, bytes)`."""

    names: list[str]
    codes: Bytes2D


def encode_folder(image_dir: Any, spec: str, *, recursive: bool, num_enc_workers: int, verbose: bool) -> EncodedFolder:
    """Encode a folder's images by the method `spec`; files that cannot be read are logged.

    Codes are kept in twinpix's store, so that a stopped run continues. Raises `ValueError` if the folder does not
    exist.
    """
    files = list(map(os.fspath, generate_files(image_dir, recursive)))
    seen = progress(verbose)
    found = encode_files(
        files,
        [spec],
        decode="reference",
        workers=max(1, num_enc_workers) if is_given(num_enc_workers) else 0,
        progress=seen,
    )
    seen.settle("read", len(files))
    (prints,) = found.values()
    for failure in prints.failures:
        invalid(failure.path, failure.error)
    kept, uris = [], prints.refs.uris
    for row, (form, damaged) in enumerate(zip(prints.formats, prints.damaged, strict=True)):
        if form in IMG_FORMATS and not damaged:
            kept.append(row)
        else:
            invalid(uris[row], "truncated" if damaged else f"{form} is not read here")
    return EncodedFolder(generate_relative_names(image_dir, [uris[row] for row in kept]), prints.codes[kept])
