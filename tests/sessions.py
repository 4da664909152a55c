"""Sessions for tests of what needs one."""

from pathlib import Path

from twinpix.encoding.session import Session
from twinpix.executors import Local
from twinpix.progress import Progress
from twinpix.store import Result, Store


class CountingStore(Store):
    """A store that knows which contents were encoded in this run."""

    def __init__(self, path: Path | None) -> None:
        self.encoded: set[bytes] = set()
        super().__init__(path)

    def put_result(self, digest: bytes, spec: str, result: Result) -> None:
        self.encoded.add(digest)
        super().put_result(digest, spec, result)


def session_of(store: Store | None = None, workers: int = 1, timeout: float = 60.0) -> Session:
    """A session with this store, or with one in memory."""
    return Session(store or Store(None), Local(workers, timeout), Progress())
