"""Make a report from codes: find matches, read the matching files again, and group them."""

import os
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from twinpix import fingerprints, plugins, search
from twinpix.compat.remove_duplicates.checks import check_target
from twinpix.compat.remove_duplicates.codes import Encoded
from twinpix.compat.remove_duplicates.datasets import is_for_images
from twinpix.encoding.content_table import ContentTable
from twinpix.encoding.images import Images
from twinpix.encoding.methods import settings_of
from twinpix.encoding.options import Options
from twinpix.encoding.session import open_session
from twinpix.fingerprints import Fingerprint
from twinpix.group.groups import group
from twinpix.imaging.traits import to_text
from twinpix.match.pairs import match_pairs
from twinpix.model import Bytes2D, Counts, Failure, Group, Refs, Report
from twinpix.paths import is_within
from twinpix.progress import Progress
from twinpix.store import Result
from twinpix.usecases.encode import encode_files

_KEEP = "resolution,filesize,path"  # the keep rules of this script (docs/scripts.md)


class Duplicates(NamedTuple):
    """A report, and the folder to which its duplicates are moved."""

    report: Report
    to: str


def find_duplicates(encoded: Encoded, radius: float, duplicates: str, progress: Progress) -> Duplicates:
    """Group images within the radius of their keeper; the files in groups are read again for the report.

    `duplicates` is the absolute path of the target folder; each data set has a folder of its name there.
    """
    method = fingerprints.make(encoded.encoder.method)
    near = _near(method, encoded.codes, radius)
    images = _read_again(encoded.files.take(near), encoded.codes[near], progress)
    roots, numbers = _roots(images.refs, encoded, duplicates)
    check_target(roots, duplicates)  # encodings may have added data sets
    images = images._replace(refs=images.refs.with_roots(numbers))
    groups = _groups(images, method, radius)
    failures = sorted([*encoded.failures, *images.failures], key=lambda failure: failure.path)
    report = Report(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        roots=roots,
        base=os.getcwd(),
        spec=plugins.describe(method),
        radius=radius,
        link="star",
        counts=_counts(encoded, groups, failures),
        groups=groups,
        failures=failures,
        damaged=encoded.damaged,
        decode="reference",
        unit=method.unit,
    )
    alone = len(roots) == 1 and os.path.isdir(roots[0])  # with several roots, `resolve` makes a folder for each
    return Duplicates(report, os.path.join(duplicates, os.path.basename(roots[0])) if alone else duplicates)


def _near(method: Fingerprint, codes: Bytes2D, radius: float) -> NDArray[np.int64]:
    """Return the rows whose code is within the radius of another one."""
    if not len(codes):
        return np.empty(0, dtype=np.int64)
    items = codes.view(f"V{codes.shape[1]}")[:, 0]  # one item per code
    _, first, node, count = np.unique(items, return_index=True, return_inverse=True, return_counts=True)
    i, j, _ = search.self_join(method.comparable(codes[first]), radius)
    near = count > 1
    near[i] = near[j] = True
    return np.flatnonzero(near[node.reshape(-1)])


def _read_again(files: Refs, codes: Bytes2D, progress: Progress) -> Images:
    """Read the files again; those that cannot be read, or changed since they were listed, become failures."""
    now, decoded = encode_files(files.uris, ["digest", "dhash"], progress=progress).values()
    traits = {uri: to_text(known) for uri, known in zip(decoded.refs.uris, decoded.traits, strict=True) if known}
    place = {uri: at for at, uri in enumerate(now.refs.uris)}
    failed = {failure.path: failure for failure in now.failures}
    contents, number = ContentTable(), dict[tuple[bytes, bytes], int]()
    rows, content = [], []
    for row, uri in enumerate(files.uris):
        at = place.get(uri)
        if at is None:
            failed.setdefault(uri, Failure(uri, "read", "not an image that can be read"))
        elif not np.array_equal(now.refs.versions[at], files.versions[row]):
            failed[uri] = Failure(uri, "read", "changed while this ran; run again")
        else:
            key = digest, code = now.codes[at].tobytes(), codes[row].tobytes()
            if key not in number:
                number[key] = contents.add(
                    digest, Result(code, *now.sizes[at], now.formats[at], traits=traits.get(uri, ""))
                )
            rows.append(row)
            content.append(number[key])
    return Images(files.take(rows), np.array(content, dtype=np.int64), contents, list(failed.values()), 0)


def _groups(images: Images, method: Fingerprint, radius: float) -> list[Group]:
    options = Options(
        method=plugins.describe(method), radius=radius, decode="reference", guard=False, store=None, keep=_KEEP
    )
    settings = settings_of(options)
    with open_session(options, Progress()) as session:
        pairs = match_pairs(session, images, settings, frozenset(), options)
    return group(images, pairs, settings, options)


def _counts(encoded: Encoded, groups: Sequence[Group], failures: Sequence[Failure]) -> Counts:
    images = len(encoded.files)
    return Counts(
        images=images,
        unique=images - sum(len(group.members) for group in groups),
        groups=len(groups),
        discards=sum(len(group.discards) for group in groups),
        failures=len(failures),
        damaged=len(encoded.damaged),
        bytes=int(encoded.files.sizes.sum()),
        bytes_reclaimable=sum(group.bytes_reclaimable for group in groups),
    )


# -- files outside of the named data sets --------------------------------------------------------------


def _roots(files: Refs, encoded: Encoded, duplicates: str) -> tuple[list[str], NDArray[np.int32]]:
    """Return the data sets, with those of files known from encodings only, and the number of each file's data set."""
    known = {each.root: number for number, each in enumerate(encoded.sets)}
    own = len(known)
    numbers = files.roots.copy()
    for row in np.flatnonzero(numbers == own).tolist():
        root = _root_of(files.uris[row], [each.root for each in encoded.sets], duplicates)
        numbers[row] = known.setdefault(root, len(known))
    return list(known), numbers


def _root_of(path: str, sets: Sequence[str], duplicates: str) -> str:
    """Return the data set of a file: a folder that does not contain the target folder."""
    real = os.path.realpath(duplicates)
    folders = (*_holding(path, sets), *_data_set(path), *_below_here(path), os.path.dirname(path))
    return next((folder for folder in folders if not is_within(real, os.path.realpath(folder))), path)


def _holding(path: str, sets: Iterable[str]) -> Iterator[str]:
    return (root for root in sets if is_within(path, root))


def _data_set(path: str) -> Iterator[str]:
    """Yield the data set by the names of a path's folders: ROOT of `ROOT/data/…images…`."""
    parts = path.split(os.sep)
    for at in range(len(parts) - 2, 1, -1):
        if parts[at] == "data" and any(is_for_images(name) for name in parts[at + 1 : -1]):
            yield os.sep.join(parts[:at])


def _below_here(path: str) -> Iterator[str]:
    """Yield the folder of the current folder that contains a file."""
    here = os.path.join(os.getcwd(), "")
    top, below, _ = path.removeprefix(here).partition(os.sep)
    if path.startswith(here) and below:
        yield here + top
