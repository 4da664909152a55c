"""OpenCV, imported at its first use. Worker processes use one OpenCV thread each, since there is one per core."""

import multiprocessing
from functools import cache
from typing import Any

from twinpix.machine import is_worker


@cache
def opencv() -> Any:
    """Return the module `cv2`, limited to one thread in a worker process."""
    import cv2

    if is_worker() or multiprocessing.parent_process() is not None:
        cv2.setNumThreads(1)
    return cv2
