"""Where a run keeps what it fetched from stores: a folder of temporary files that its workers share."""

import hashlib
import os

from twinpix import machine

FOLDER = "folder of fetched images"
"""Key of the folder in `machine.shared`."""


def folder() -> str:
    """Return the folder of this run, "" for none."""
    return machine.shared.get(FOLDER, "")


def path_of(name: str) -> str:
    digest = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    return os.path.join(folder(), digest)


def path_of_object(url: str, version: bytes) -> str:
    """Return the path of the copy of an object in a version, which may not exist; "" if this run keeps none."""
    return path_of(f"{url}\0{version.hex()}") if folder() else ""
