"""Arguments that a caller may leave out, and what is said of those that have no effect."""

import os
import warnings
from typing import Any


class Workers(int):
    """A number of processes or threads that nobody gave: it equals imagededup's default, and is known as such."""

    __slots__ = ()


CORES = Workers(os.cpu_count() or 1)
NONE = Workers(0)


def is_given(workers: int) -> bool:
    return not isinstance(workers, Workers)


def threads_of(workers: int) -> int:
    """Threads for so many workers; 0, as many as the search takes by itself, when nobody gave a number."""
    return max(0, workers) if is_given(workers) else 0


def check_input(image_dir: Any, encoding_map: Any, *, recursive: bool, num_enc_workers: int) -> None:
    """Raise `ValueError` without images and encodings; warn of what has no effect when there are encodings."""
    if image_dir:
        return
    if not encoding_map:
        raise ValueError("Provide either an image directory or encodings!")
    if recursive:
        warnings.warn("recursive parameter is irrelevant when using encodings.", SyntaxWarning, stacklevel=3)
    if is_given(num_enc_workers):
        warnings.warn(
            "Parameter num_enc_workers has no effect since encodings are already provided",
            RuntimeWarning,
            stacklevel=3,
        )
