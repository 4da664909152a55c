"""OpenCV and processes: its threads do not survive a fork, and a process a core needs none of them."""

import multiprocessing
import sys
from collections.abc import Iterator
from contextlib import contextmanager
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


@contextmanager
def forkable() -> Iterator[None]:
    """For the time in which processes are forked: OpenCV, if anybody has loaded it, has no threads of its own."""
    cv2 = sys.modules.get("cv2")
    if cv2 is None:
        yield
        return
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)
