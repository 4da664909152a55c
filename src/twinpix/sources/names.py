"""Which of the listed names are further names of one file: links, and files that two mounts show."""

import os
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from twinpix.model import Refs, is_uri


def symlinks(files: Refs, better: Mapping[int, int]) -> dict[str, list[str]]:
    """Return the symbolic links among the further names of files, by the name of the file."""
    out: dict[str, list[str]] = {}
    for row in sorted(better, key=files.uris.__getitem__):
        if files.links[row] and os.path.islink(files.uris[row]):
            out.setdefault(files.uris[better[row]], []).append(files.uris[row])
    return out


def further_names(files: Refs, stamps: NDArray[np.int64]) -> tuple[dict[int, int], int]:
    """Return each row that is a further name of a file, with the row of its first name, and the number of links."""
    inodes = _files_of(stamps)
    order = np.lexsort(inodes.T)
    same = (inodes[order][1:] == inodes[order][:-1]).all(axis=1)
    better: dict[int, int] = {}
    links = 0
    for start, stop in _runs(same):
        rows = order[start:stop].tolist()
        by_name: dict[str, list[int]] = {}
        for row in rows:
            by_name.setdefault(_absolute(files.uris[row]), []).append(row)
        if stamps[rows[0], 1]:
            kept = [min(rows, key=lambda row: _first_name(files, row))]
            links += len(by_name) - 1
        else:  # a file system without inodes: only equal paths are one file
            kept = [min(named, key=lambda row: _first_name(files, row)) for named in by_name.values()]
        better.update((row, kept[0]) for row in set(rows) - set(kept))
    return better, links


def _files_of(stamps: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return `(n, 2)`: a device and an inode, equal for names of one file.

    One file that is visible through two mounts (an overlay and its upper folder, one export mounted twice) has two
    devices, and the same inode, size, modification time and change time: it gets the smaller of the devices.
    """
    inodes = stamps[:, :2].copy()
    if not len(inodes) or inodes[:, 0].min() == inodes[:, 0].max():
        return inodes
    order = np.lexsort(stamps.T)  # by change time, modification time, size, inode; then by device
    rest = stamps[order][:, 1:]
    for start, stop in _runs((rest[1:] == rest[:-1]).all(axis=1)):
        if rest[start, 0]:
            inodes[order[start:stop], 0] = inodes[order[start], 0]
    return inodes


def _runs(same: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """Return runs of equal elements as `[start, stop)`, given which elements equal the previous one."""
    edges = np.diff(np.concatenate([[False], same, [False]]).astype(np.int8))
    for start, end in zip(np.flatnonzero(edges == 1).tolist(), np.flatnonzero(edges == -1).tolist(), strict=True):
        yield start, end + 1


def _absolute(uri: str) -> str:
    return uri if is_uri(uri) else os.path.abspath(uri)


def _first_name(files: Refs, row: int) -> tuple[bool, bool, int, str]:
    """Return a sort key of the names of one file: references first, then real names before links."""
    return not files.references[row], bool(files.links[row]), int(files.roots[row]), files.uris[row]
