"""Encode the images of data sets, and locate the images of files of encodings."""

import os
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from twinpix import sources
from twinpix.compat.remove_duplicates import encodings
from twinpix.compat.remove_duplicates.datasets import DataSet, data_sets, list_files
from twinpix.compat.remove_duplicates.encoders import Encoder
from twinpix.compat.remove_duplicates.encodings import Map
from twinpix.compat.remove_duplicates.options import Options
from twinpix.model import Bytes2D, Failure, Fingerprints, Refs
from twinpix.progress import Progress
from twinpix.usecases.encode import encode_files


class Encoded(NamedTuple):
    """Images with their codes, and the problems that were found."""

    encoder: Encoder
    sets: list[DataSet]
    files: Refs  # root: the number of the data set; `len(sets)` for files known from encodings only
    codes: Bytes2D  # (n, bytes)
    failures: list[Failure]
    damaged: list[str]  # damaged images have no code, as in imagededup
    missing: Map  # encodings whose files do not exist
    overruled: list[str]  # names with different encodings in several files

    def by_path(self) -> Map:
        """Return the codes by path."""
        return {uri: code.tobytes() for uri, code in zip(self.files.uris, self.codes, strict=True)}


def encode(options: Options, progress: Progress) -> Encoded:
    """Encode the images of the options; raises `UsageError` for a data set or encodings that cannot be used.

    Images with given encodings are not encoded again; images that cannot be read have no code.
    """
    encoder = options.encoding
    maps = [encodings.read(name, encoder) for name in options.encodings_in]
    sets = data_sets(options)
    places = list(_places(options, sets))
    known = encodings.locate(maps, places, lambda paths: _codes(_encode(paths, encoder, progress)), encoder)
    files, failures = list_files(sets, list(known.codes), progress)
    prints = _encode([uri for uri in files.uris if uri not in known.codes], encoder, progress)
    codes = {**known.codes, **_codes(prints)}
    rows = [row for row, uri in enumerate(files.uris) if uri in codes]
    data = b"".join(codes[files.uris[row]] for row in rows)
    return Encoded(
        encoder,
        sets,
        files.take(rows),
        np.frombuffer(data, dtype=np.uint8).reshape(len(rows), encoder.width),
        [*failures, *prints.failures],
        [uri for uri, damaged in zip(prints.refs.uris, prints.damaged, strict=True) if damaged],
        known.missing,
        known.overruled,
    )


def _places(options: Options, sets: Sequence[DataSet]) -> Iterator[str]:
    """Yield the folders that names in encodings may be relative to."""
    yield os.curdir
    for each in sets:
        yield from (each.root, *each.folders)
    if options.root is not None:
        yield options.root


def _encode(paths: Sequence[str], encoder: Encoder, progress: Progress) -> Fingerprints:
    if not paths:  # so that the network need not be loaded
        return Fingerprints(sources.list_named([]).refs, np.empty((0, encoder.width), np.uint8), encoder.method, [])
    (prints,) = encode_files(paths, [encoder.method], decode="reference", progress=progress).values()
    return prints


def _codes(prints: Fingerprints) -> Map:
    rows = zip(prints.refs.uris, prints.codes, prints.damaged, strict=True)
    return {uri: code.tobytes() for uri, code, damaged in rows if not damaged}
