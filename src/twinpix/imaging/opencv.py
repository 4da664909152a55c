"""OpenCV, loaded at its first use; with one process a core it needs no threads of its own."""

import multiprocessing
from functools import cache
from typing import Any

from twinpix.machine import is_worker


@cache
def opencv() -> Any:
    """OpenCV, with one thread where this is one of several processes."""
    import cv2

    if is_worker() or multiprocessing.parent_process() is not None:
        cv2.setNumThreads(1)
    return cv2
