"""Find the image folders of data sets."""

import os
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from twinpix import sources
from twinpix.compat.remove_duplicates.options import Options
from twinpix.errors import UsageError
from twinpix.model import Failure, Refs
from twinpix.progress import Progress


class DataSet(NamedTuple):
    """A data set; its paths are absolute."""

    root: str
    folders: list[str]  # folders with its images


def data_sets(options: Options) -> list[DataSet]:
    """Return the named data sets, each once; raises `UsageError` for a data set without a folder of images."""
    roots = dict.fromkeys(os.path.abspath(os.path.join(options.root or "", name)) for name in options.dirs)
    return [DataSet(root, _folders(root, options)) for root in roots]


def is_for_images(name: str) -> bool:
    """True for the name of a folder of images in a data set."""
    return "images" in name.casefold() and not name.startswith(".")


def _folders(root: str, options: Options) -> list[str]:
    if not os.path.isdir(root):
        raise UsageError(f"{root} is not a folder" if os.path.lexists(root) else f"no such folder: {root}")
    if options.no_data_dir:
        return [root]
    found: list[str] = []
    for folder, inside, _ in os.walk(os.path.join(root, "data")):
        found += [os.path.join(folder, name) for name in sorted(inside) if is_for_images(name)]
        inside[:] = sorted(name for name in inside if not is_for_images(name) and not name.startswith("."))
    if not found:
        raise UsageError(f"{root} holds no folder data/…images…: give --no-data-dir when its images lie directly in it")
    return found


def list_files(sets: Sequence[DataSet], paths: Sequence[str], progress: Progress) -> tuple[Refs, list[Failure]]:
    """Return the files of the data sets and those at `paths`, each once, and the failures.

    The root of a file is the number of its data set; of a file of `paths`, the number of data sets.
    """
    owners = [(folder, number) for number, each in enumerate(sets) for folder in each.folders]
    with progress.stage("list"):
        found = sources.scan([folder for folder, _ in owners], listed=paths, on_progress=progress.advance)
    numbers = np.array([*(number for _, number in owners), len(sets)], dtype=np.int32)
    return found.refs.with_roots(numbers[found.refs.roots]), found.failures
