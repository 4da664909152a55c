"""Default values of arguments, and warnings about arguments without effect."""

import os
import warnings
from typing import Any


class Workers(int):
    """A default number of processes or threads: equal to imagededup's default, but recognisable as not given."""

    __slots__ = ()


CORES = Workers(os.cpu_count() or 1)
NONE = Workers(0)


def is_given(workers: int) -> bool:
    return not isinstance(workers, Workers)


def threads_of(workers: int) -> int:
    """Return the number of threads for a number of workers; 0 (the search decides) if the caller gave none."""
    return max(0, workers) if is_given(workers) else 0


def check_input(image_dir: Any, encoding_map: Any, *, recursive: bool, num_enc_workers: int) -> None:
    """Raise `ValueError` if neither images nor encodings are given; warn of arguments without effect on encodings."""
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
