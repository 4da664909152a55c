"""Compute digests and codes: read each file once, decode each content once, and take stored results from the store."""

from collections.abc import Iterator, Sequence
from contextlib import closing, nullcontext

import numpy as np

from twinpix import fingerprints
from twinpix.encoding.encode_task import EncodeItem, EncodeTask, Outcome
from twinpix.encoding.session import Session
from twinpix.executors import Lost
from twinpix.fingerprints import Fingerprint
from twinpix.imaging import is_installed
from twinpix.machine import memory_is_limited
from twinpix.model import Decode, Failure, Refs, row_of
from twinpix.store import NOT_AN_IMAGE, Result
from twinpix.versions import UNKNOWN

_BATCH_FILES, _BATCH_BYTES = 24, 4 << 20
_KNOWN_OF_A_SIZE = 1000  # largest number of digests (16 bytes each) sent with an item; with more, files are read twice


class Encoder:
    """Computes the digest of each file and the codes of each content for several methods, or takes them from the store.

    Files with the same content have the same size. Each file is therefore sent to a worker with the digests of this
    size whose codes are known; the worker encodes the content unless its digest is one of these.
    """

    def __init__(
        self, session: Session, methods: Sequence[Fingerprint], decode: Decode = "fast", transforms: bool = False
    ) -> None:
        self.methods, self.decode, self.transforms = tuple(methods), decode, transforms
        self.results: list[dict[bytes, Result]] = [{} for _ in self.methods]
        self.failures: list[Failure] = []
        self._session, self._store = session, session.store
        self._specs = [fingerprints.spec_key(m, decode, transforms) for m in self.methods]
        self._known: dict[int, list[bytes]] = {}  # by file size: digests whose codes are known
        self._lost: dict[int, Lost] = {}  # by row: files that ended their workers, and whose digests are not known yet
        self._suspect: set[int] = set()  # sizes of these files

    def encode(self, refs: Refs) -> list[bytes]:
        """Return the digest of each file, or `NOT_AN_IMAGE` if it is not an image or cannot be read.

        Fills `results` and `failures`.
        """
        digests = self._store.digests(refs.versions)
        self._look_up({digest for digest in digests if digest})
        self._note_known(refs, digests)
        # A second pass reads files that were only digested, or that changed.
        while rows := self._unfinished_rows(digests):
            self._run(refs, digests, rows)
        self._store.flush()
        return [digest or NOT_AN_IMAGE for digest in digests]

    def result(self, digest: bytes, method: int = 0) -> Result:
        return self.results[method][digest]

    def take(self, digest: bytes, method: int = 0) -> Result:
        """Return the result, and remove it from `results` to free its memory."""
        return self.results[method].pop(digest)

    def _unfinished_rows(self, digests: Sequence[bytes | None]) -> list[int]:
        """Return the rows of files to read: all without a digest, and one for each content without a code."""
        out, seen = [], set()
        for row, digest in enumerate(digests):
            if digest is None:
                out.append(row)
            elif digest and digest not in seen:
                seen.add(digest)
                if not self._is_known(digest):
                    out.append(row)
        return out

    def _is_known(self, digest: bytes) -> bool:
        return all(digest in results for results in self.results)

    def _note_known(self, refs: Refs, digests: Sequence[bytes | None]) -> None:
        """Collect the digests with known codes that have the size of an unread file."""
        unread = np.array([digest is None for digest in digests], dtype=bool)
        if not unread.any():
            return
        sizes, counts = np.unique(refs.sizes[unread], return_counts=True)
        self._known = {size: [] for size in sizes[counts > 1].tolist()}
        for size, digest in self._store.digests_of_sizes(sizes.tolist(), self._specs):
            self._known.setdefault(size, []).append(digest)

    def _run(self, refs: Refs, digests: list[bytes | None], rows: Sequence[int]) -> None:
        task = EncodeTask(self.methods, self.decode, self.transforms, memory_is_limited())
        executor, progress = self._session.executor, self._session.progress
        for method in self.methods if rows else ():
            with progress.stage("compile") if method.compiles() else nullcontext():
                method.load()
        items = self._batches(refs, digests, rows, executor.size)
        with progress.stage("read", len(rows)), closing(executor.map(task, items)) as run:
            try:
                for item, outcome in run:
                    if isinstance(outcome, Lost):
                        self._give_up(item, outcome, refs, digests)
                    else:
                        outcome = _of_listed_row(item, outcome, refs)
                        digests[item.row] = outcome.digest
                        self._keep(item, outcome, refs)
                    progress.advance(1)
            finally:
                self._store.flush()

    def _batches(
        self, refs: Refs, digests: Sequence[bytes | None], rows: Sequence[int], workers: int
    ) -> Iterator[list[EncodeItem]]:
        """Yield batches of at most `_BATCH_FILES` files and, with several files, `_BATCH_BYTES` bytes.

        Batches are made on demand, so that each has the digests that are known by then.
        """
        at, sizes = 0, refs.sizes
        while left := len(rows) - at:
            wanted = min(_BATCH_FILES, max(1, left // (2 * workers)))  # at the end: all workers end together
            ahead = rows[at : at + wanted]
            fit = int(np.searchsorted(np.cumsum(sizes[ahead]), _BATCH_BYTES, side="right"))
            chosen = ahead[: max(1, fit)]
            at += len(chosen)
            yield [EncodeItem(row, refs.uris[row], self._known_of(row, int(sizes[row]), digests)) for row in chosen]

    def _known_of(self, row: int, size: int, digests: Sequence[bytes | None]) -> tuple[bytes, ...] | None:
        """Return digests that need not be encoded for this file; None to compute only its digest."""
        if digests[row] is not None:  # its content has no code yet
            return ()
        known = self._known.get(size, ())
        if row in self._lost or size in self._suspect or len(known) > _KNOWN_OF_A_SIZE:
            return None
        return tuple(known)

    def _look_up(self, digests: set[bytes]) -> None:
        """Take stored results, except those of an optional decoder that is not installed or has another version now."""
        for spec, results in zip(self._specs, self.results, strict=True):
            found = self._store.results((digest for digest in digests if digest not in results), spec)
            results.update((d, r) for d, r in found.items() if not r.decoder or is_installed(r.decoder))

    def _keep(self, item: EncodeItem, outcome: Outcome, refs: Refs) -> None:
        if outcome.error:
            self.failures.append(Failure(item.uri, *outcome.error))
            return
        size = int(refs.sizes[item.row])
        if outcome.settled and refs.versions[item.row].any():  # all zero: the source has no versions
            self._store.put_version(outcome.version, outcome.digest)
        for number, result in outcome.results.items():
            self._put(outcome.digest, number, result, lasting=number not in outcome.passing)
        if not outcome.digest:
            return
        if outcome.results:
            self._note_size(outcome.digest, size)
        elif not self._is_known(outcome.digest):
            self._look_up({outcome.digest})
            if (lost := self._lost.pop(item.row, None)) and not self._is_known(outcome.digest):
                self._blame(outcome.digest, size, lost)

    def _put(self, digest: bytes, number: int, result: Result, *, lasting: bool) -> None:
        self.results[number][digest] = result
        if lasting:
            self._store.put_result(digest, self._specs[number], result)

    def _note_size(self, digest: bytes, size: int) -> None:
        self._store.put_size(size, digest)
        if size in self._known:
            self._known[size].append(digest)

    def _give_up(self, item: EncodeItem, lost: Lost, refs: Refs, digests: list[bytes | None]) -> None:
        """Record that a file ended its worker as a failure of its content.

        Without a digest, the file is read again to compute it; if that fails too, the file is added to the failures.
        """
        if digest := digests[item.row]:
            self._blame(digest, int(refs.sizes[item.row]), lost)
        elif item.known is None:  # computing the digest alone failed too
            self.failures.append(Failure(item.uri, "read", lost.reason))
            digests[item.row] = NOT_AN_IMAGE
        else:
            self._lost[item.row] = lost
            self._suspect.add(int(refs.sizes[item.row]))

    def _blame(self, digest: bytes, size: int, lost: Lost) -> None:
        """Record a content that ended its worker as failed.

        Only a crash is stored: the machine may have caused everything else, such as a timeout or a lack of memory.
        """
        lasting = lost.fault and not memory_is_limited()
        self._note_size(digest, size)
        for number, results in enumerate(self.results):
            if digest not in results:
                self._put(digest, number, Result(None, stage="decode", error=lost.reason), lasting=lasting)


def _of_listed_row(item: EncodeItem, outcome: Outcome, refs: Refs) -> Outcome:
    """Return the outcome for a row, or a failure if its table was replaced: a number then names another image."""
    listed = refs.versions[item.row].tobytes()
    if not row_of(item.uri) or UNKNOWN in (listed, outcome.version) or outcome.version in (b"", listed):
        return outcome
    return Outcome(NOT_AN_IMAGE, b"", False, {}, [], ("read", "changed while it was read; run again"))
