"""List the images of a folder or of a file list."""

import os
from pathlib import PurePath

from twinpix import sources
from twinpix.compat.imgdupes.options import Options
from twinpix.errors import UsageError
from twinpix.model import Failure


def list_files(options: Options) -> tuple[list[str], list[Failure]]:
    """Return the paths as imgdupes prints them, in its order, and the failures.

    A file with several names (links) is listed once. Hidden files are not listed.
    """
    if options.files_from is not None:
        return _of_list(options.files_from, ordered=options.sort != "none")
    return _of_folder(options.target_dir or "", recursive=options.recursive)


def _of_folder(folder: str, *, recursive: bool) -> tuple[list[str], list[Failure]]:
    sources.require([folder])
    if not os.path.isdir(folder):
        raise UsageError(f"{folder} is not a folder")
    found = sources.scan([folder], recursive=recursive)
    return [str(PurePath(uri)) for uri in found.refs.uris], found.failures


def _of_list(path: str, *, ordered: bool) -> tuple[list[str], list[Failure]]:
    names = sources.names_from(path)
    folders = [name for name in names if os.path.isdir(name)]
    found = sources.scan([], listed=[name for name in names if name not in set(folders)])
    failures = [*found.failures, *(Failure(name, "list", "a folder, not an image") for name in folders)]
    if ordered:
        return list(found.refs.uris), failures
    place = {name: number for number, name in reversed(list(enumerate(names)))}
    return sorted(found.refs.uris, key=place.__getitem__), failures
