"""Tasks that count what workers begin, for `cluster.py kills`; run as a script, it is `twinpix` with these tasks.

The folder of the counts is in the environment. Each process adds one byte to a file of its own for each image that it
begins to read and for each pair that it begins to verify, so that work which is lost with a process counts too.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from twinpix.encoding import encoder
from twinpix.encoding.encode_task import EncodeItem, EncodeTask, Outcome
from twinpix.executors import Begin
from twinpix.match import verifier
from twinpix.match.verifier import VerifyTask

FOLDER = "TWINPIX_BENCH_COUNTS"


def _add(kind: str, count: int) -> None:
    with open(Path(os.environ[FOLDER], f"{kind}-{os.uname().nodename}-{os.getpid()}"), "ab") as file:
        file.write(b"." * count)


class CountedEncode(EncodeTask):
    """Encodes images, and counts them."""

    def __call__(self, batch: Sequence[EncodeItem], begin: Begin) -> list[Outcome]:
        _add("read", len(batch))
        return EncodeTask.__call__(self, batch, begin)


class CountedVerify(VerifyTask):
    """Verifies pairs, and counts them."""

    def __call__(self, batch: Sequence[Any], begin: Begin) -> list[Any]:
        _add("verify", len(batch))
        return VerifyTask.__call__(self, batch, begin)


def take_counts() -> dict[str, int]:
    """Return how many images and pairs were begun since the last call."""
    out = {"read": 0, "verify": 0}
    for path in Path(os.environ[FOLDER]).iterdir():
        out[path.name.partition("-")[0]] += path.stat().st_size
        path.unlink()
    return out


def main() -> None:
    import cluster_counting  # the workers import these classes by this name
    from twinpix.cli import main as command

    vars(encoder)["EncodeTask"] = cluster_counting.CountedEncode
    vars(verifier)["VerifyTask"] = cluster_counting.CountedVerify
    command()


if __name__ == "__main__":
    main()
