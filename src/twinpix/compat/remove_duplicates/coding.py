"""The images of data sets and of encodings, each with its code."""

import os
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from twinpix import sources
from twinpix.compat.remove_duplicates import encodings
from twinpix.compat.remove_duplicates.datasets import DataSet, data_sets, listed
from twinpix.compat.remove_duplicates.encoders import Encoder
from twinpix.compat.remove_duplicates.encodings import Map
from twinpix.compat.remove_duplicates.options import Options
from twinpix.model import Bytes2D, Failure, Fingerprints, Refs
from twinpix.progress import Progress
from twinpix.usecases.encode import encode_files


class Coded(NamedTuple):
    """Images with their codes, and what was met on the way."""

    encoder: Encoder
    sets: list[DataSet]
    files: Refs  # an image's root is the number of its data set; their count: it is known from encodings only
    codes: Bytes2D  # (n, bytes)
    failures: list[Failure]
    damaged: list[str]  # part of them is missing: they have no code, as with imagededup
    missing: Map  # encodings of files that are not there
    overruled: list[str]  # names for which encodings disagree

    def by_path(self) -> Map:
        """The codes by path."""
        return {uri: code.tobytes() for uri, code in zip(self.files.uris, self.codes, strict=True)}


def coded(options: Options, progress: Progress) -> Coded:
    """The images that the options name; raises `UsageError` for a data set or encodings that cannot be used.

    What encodings speak of is not coded again, and images that cannot be read have no code.
    """
    encoder = options.encoding
    maps = [encodings.read(name, encoder) for name in options.encodings_in]
    sets = data_sets(options)
    places = list(_places(options, sets))
    known = encodings.locate(maps, places, lambda paths: _codes(_encoded(paths, encoder, progress)), encoder)
    files, failures = listed(sets, list(known.codes), progress)
    prints = _encoded([uri for uri in files.uris if uri not in known.codes], encoder, progress)
    codes = {**known.codes, **_codes(prints)}
    rows = [row for row, uri in enumerate(files.uris) if uri in codes]
    data = b"".join(codes[files.uris[row]] for row in rows)
    return Coded(
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
    """Where names in encodings may start from."""
    yield os.curdir
    for each in sets:
        yield from (each.root, *each.folders)
    if options.root is not None:
        yield options.root


def _encoded(paths: Sequence[str], encoder: Encoder, progress: Progress) -> Fingerprints:
    if not paths:  # then nothing is needed of what codes pictures
        return Fingerprints(sources.list_named([]).refs, np.empty((0, encoder.width), np.uint8), encoder.method, [])
    (prints,) = encode_files(paths, [encoder.method], decode="reference", progress=progress).values()
    return prints


def _codes(prints: Fingerprints) -> Map:
    rows = zip(prints.refs.uris, prints.codes, prints.damaged, strict=True)
    return {uri: code.tobytes() for uri, code, damaged in rows if not damaged}
