"""From files to digests and codes: read once, equal contents decoded once, what is stored not at all."""

from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from twinpix import fingerprints, mounts
from twinpix.errors import ImageError
from twinpix.executors import Ask, Batches, Begin, Local, Lost
from twinpix.fingerprints import Fingerprint
from twinpix.imaging import Picture, decode, extra_decoder, is_installed, pixel_digest, undecoded
from twinpix.imaging.opencv import forkable
from twinpix.machine import memory_is_limited
from twinpix.model import Decode, Failure, Files, Stamp
from twinpix.progress import Progress
from twinpix.sources import read
from twinpix.store import NOT_AN_IMAGE, Result, Store

_BATCH_FILES, _BATCH_BYTES = 24, 4 << 20
_CODED_AT_ONCE = 8  # orientations of pictures, after which the clock that a picture may take is set again

Item = tuple[int, str]  # a file's number and path


class Outcome(NamedTuple):
    """What a worker says of one file."""

    digest: bytes  # of its content; NOT_AN_IMAGE, which is empty, also when it could not be read
    stamp: Stamp | None
    settled: bool
    results: dict[int, Result]  # by number of the method; those asked for
    passing: list[int]  # methods whose failure another run may not see
    error: tuple[str, str] | None = None  # stage and reason, when it could not be read


class Question(NamedTuple):
    """A worker's question: which of these contents, in which methods, shall I code?"""

    batch: int  # number of its first file
    digests: list[bytes]


@dataclass(frozen=True, slots=True)
class CodeTask:
    """Codes a batch of files in a worker: one read a file, one decode a content, all methods from it."""

    methods: tuple[Fingerprint, ...]
    decode: Decode
    transforms: bool
    limited: bool = False  # whether a limit may refuse memory: asked before the processes start, once

    def __call__(self, batch: Sequence[Item], begin: Begin, ask: Ask) -> list[Outcome]:
        import xxhash

        outcomes: list[Outcome] = []
        contents: list[bytes | None] = []
        for index, (_, uri) in enumerate(batch):
            begin(index)
            try:
                content = read(uri)
            except ImageError as error:
                contents.append(None)
                outcomes.append(Outcome(NOT_AN_IMAGE, None, False, {}, [], (error.stage, error.reason)))
                continue
            digest = NOT_AN_IMAGE if content.data is None else xxhash.xxh3_128_digest(content.data)
            contents.append(content.data)
            outcomes.append(Outcome(digest, content.stamp, content.settled, {}, []))
        wanted: list[list[int]] = ask(Question(batch[0][0], [outcome.digest for outcome in outcomes]))
        self._code(batch, contents, wanted, outcomes, begin)
        if self.limited:  # decoders that are refused memory say that the image is damaged, or worse
            for outcome in outcomes:
                outcome.passing.extend(n for n, found in outcome.results.items() if found.damaged or found.code is None)
        return outcomes

    def _code(
        self,
        batch: Sequence[Item],
        contents: list[bytes | None],
        wanted: list[list[int]],
        outcomes: list[Outcome],
        begin: Begin,
    ) -> None:
        prepared: dict[int, list[tuple[int, Result, list[fingerprints.base.Array]]]] = {}
        for index, numbers in enumerate(wanted):
            data = contents[index]
            if not numbers or data is None:
                continue
            begin(index)
            outcome, name = outcomes[index], batch[index][1]
            for number, item in self._prepare(data, name, numbers):
                if isinstance(item, ImageError):
                    failed = Result(None, stage=item.stage, error=item.reason, decoder=extra_decoder(data, name))
                    outcome.results[number] = failed
                    outcome.passing.extend([number] if not item.lasting else [])
                else:
                    prepared.setdefault(number, []).append((index, *item))
            contents[index] = None
        for number, items in prepared.items():
            method = self.methods[number]
            step = _CODED_AT_ONCE // len(items[0][2])
            for at in range(0, len(items), step):
                some = items[at : at + step]
                begin(some[0][0])
                codes = self._codes(method, [small for _, _, small in some])
                for (index, facts, _), code in zip(some, codes, strict=True):
                    if isinstance(code, ImageError):
                        failed = Result(None, stage=code.stage, error=code.reason, decoder=facts.decoder)
                        outcomes[index].results[number] = failed
                        outcomes[index].passing.extend([number] if not code.lasting else [])
                    else:
                        outcomes[index].results[number] = facts._replace(code=code)

    def _codes(
        self, method: Fingerprint, prepared: Sequence[Sequence[fingerprints.base.Array]]
    ) -> list[bytes | ImageError]:
        """The code of each picture, or why it has none; when that fails of several at once, one after the other."""
        try:
            codes = fingerprints.codes_from(method, prepared, self.decode)
        except ImageError as error:
            return [error] if len(prepared) == 1 else [self._codes(method, [each])[0] for each in prepared]
        broken = fingerprints.broken(method, codes).tolist()
        nothing = ImageError("code", fingerprints.NOTHING)
        return [nothing if wrong else code.tobytes() for code, wrong in zip(codes, broken, strict=True)]

    def _prepare(
        self, data: bytes, name: str, numbers: Sequence[int]
    ) -> Iterator[tuple[int, tuple[Result, list[fingerprints.base.Array]] | ImageError]]:
        """Facts and small matrices for each of the methods `numbers`, or why there are none; decodes once."""
        picture: Picture | None = None
        for number in numbers:
            method = self.methods[number]
            try:
                if not fingerprints.decodes(method):
                    plain = undecoded(data, name)
                    facts = Result(None, plain.width, plain.height, plain.format)
                    yield number, (facts, fingerprints.matrices(method, plain, self.transforms))
                    continue
                if picture is None:
                    picture = decode(data, self.decode, name, *fingerprints.wanted(self.methods))
                    known = self._facts(picture, extra_decoder(data, name))
                yield number, (known, fingerprints.matrices(method, picture, self.transforms))
            except ImageError as error:
                yield number, error

    def _facts(self, picture: Picture, decoder: str) -> Result:
        information = fingerprints.information_of(picture)
        pixels = None
        if information < fingerprints.INFORMATION_FLOOR and not picture.damaged:
            # Its hash will not be trusted: identity is all it can match by.
            with suppress(ImageError):  # it is not compared then, but it is an image
                pixels = pixel_digest(picture.data, picture.name)
        return Result(
            *(None, picture.width, picture.height, picture.format, picture.damaged, information, pixels),
            decoder=decoder,
            traits=picture.traits,
        )


@dataclass
class Coder:
    """Knows, or finds out, the digest of each file and the code of each content."""

    store: Store
    methods: tuple[Fingerprint, ...]
    decode: Decode = "fast"
    transforms: bool = False
    workers: int = 0
    timeout: float = 60.0
    progress: Progress = field(default_factory=Progress)

    def __post_init__(self) -> None:
        self.specs = [fingerprints.spec_key(m, self.decode, self.transforms) for m in self.methods]
        self.results: list[dict[bytes, Result]] = [{} for _ in self.methods]
        self.failures: list[Failure] = []
        self.decoded = 0  # contents decoded in this run
        self._claims: dict[bytes, int] = {}  # contents being coded, by batch
        self._asked: dict[int, list[bytes]] = {}  # what each batch holds

    def code(self, refs: Files) -> list[bytes]:
        """The digest of each file, `NOT_AN_IMAGE` for one that is none or failed; fills `results`."""
        digests = self.store.digests(refs.stamps)
        self._fleeting = mounts.fleeting_devices()
        if self._fleeting:  # a stamp may be another file's by now: these files are read again
            for at in np.flatnonzero(np.isin(refs.stamps[:, 0], list(self._fleeting))).tolist():
                digests[at] = None
        self._look_up({digest for digest in digests if digest})
        while todo := self._todo(digests):  # again when a file went that was to be read for all of its content
            self._run(refs, digests, todo)
        self.store.flush()
        return [digest or NOT_AN_IMAGE for digest in digests]

    def result(self, digest: bytes, method: int = 0) -> Result:
        return self.results[method][digest]

    def take(self, digest: bytes, method: int = 0) -> Result:
        """The result, which the coder forgets."""
        return self.results[method].pop(digest)

    def _todo(self, digests: list[bytes | None]) -> list[int]:
        """Files to read: those never read, and one for each content that lacks a code."""
        out, seen = [], set()
        for index, digest in enumerate(digests):
            if digest is None:
                out.append(index)
            elif digest and digest not in seen:
                seen.add(digest)
                if any(digest not in results for results in self.results):
                    out.append(index)
        return out

    def _run(self, refs: Files, digests: list[bytes | None], todo: list[int]) -> None:
        task = CodeTask(self.methods, self.decode, self.transforms, memory_is_limited())
        pool = Local(self.workers, self.timeout, note=self.progress.note)
        queue = Batches(_batches(refs, todo, pool.size))
        with self.progress.stage("read", len(todo)), forkable(), closing(pool.run(task, queue, self._answer)) as run:
            try:
                for batch, outcomes in run:
                    if isinstance(outcomes, Lost):
                        self._lost(batch, outcomes, digests, queue)
                        continue
                    for (index, uri), outcome in zip(batch, outcomes, strict=True):
                        digests[index] = outcome.digest
                        self._keep(uri, outcome)
                    self._asked.pop(batch[0][0], None)
                    self.progress.advance(len(batch))
            finally:
                self.store.flush()

    def _answer(self, question: Question) -> list[list[int]]:
        """Which contents of a batch to code: those that no store knows and no other worker has claimed."""
        self._asked[question.batch] = question.digests
        fresh = {digest for digest in question.digests if digest and digest not in self._claims}
        self._look_up(fresh)
        wanted = []
        for digest in question.digests:
            numbers: list[int] = []
            if digest in fresh:
                fresh.discard(digest)
                numbers = [n for n, results in enumerate(self.results) if digest not in results]
                if numbers:
                    self._claims[digest] = question.batch
            wanted.append(numbers)
        return wanted

    def _look_up(self, digests: set[bytes]) -> None:
        """Take from the store what it knows, unless an optional decoder has changed since."""
        for spec, results in zip(self.specs, self.results, strict=True):
            found = self.store.results((digest for digest in digests if digest not in results), spec)
            results.update((d, r) for d, r in found.items() if not r.decoder or is_installed(r.decoder))

    def _keep(self, uri: str, outcome: Outcome) -> None:
        if outcome.error:
            self.failures.append(Failure(uri, *outcome.error))
            return
        if outcome.settled and outcome.stamp and outcome.stamp.device not in self._fleeting:
            self.store.put_file(outcome.stamp, outcome.digest)
        if outcome.results:
            self.decoded += 1
            self._claims.pop(outcome.digest, None)
        for number, result in outcome.results.items():
            self.results[number][outcome.digest] = result
            if number not in outcome.passing:
                self.store.put_result(outcome.digest, self.specs[number], result)

    def _lost(self, batch: Sequence[Item], lost: Lost, digests: list[bytes | None], queue: Batches[Item]) -> None:
        """One file crashed or hung its worker: try it once more, or note it; try the rest of its batch again."""
        number = batch[0][0]
        asked = self._asked.pop(number, None)
        for digest in [digest for digest, owner in self._claims.items() if owner == number]:
            del self._claims[digest]
        if (given := queue.lost(batch, lost)) is None:
            return
        index, uri = given.item
        digest = asked[lost.index] if asked else NOT_AN_IMAGE
        digests[index] = digest
        if digest:
            result = Result(None, stage="decode", error=lost.reason)
            for spec, results in zip(self.specs, self.results, strict=True):
                results[digest] = result
                if lost.fault and not memory_is_limited():  # twice; all else may be the machine's doing
                    self.store.put_result(digest, spec, result)
        else:
            self.failures.append(Failure(uri, "read", lost.reason))
        self.progress.advance(1)


def _batches(refs: Files, todo: Sequence[int], workers: int) -> Iterator[list[Item]]:
    """Files in batches, each small in files and bytes."""
    at, sizes = 0, refs.sizes
    while left := len(todo) - at:
        wanted = min(_BATCH_FILES, max(1, left // (2 * workers)))  # smaller at the end: all end together
        ahead = todo[at : at + wanted]
        fit = int(np.searchsorted(np.cumsum(sizes[ahead]), _BATCH_BYTES, side="right"))
        batch = [(index, refs.uris[index]) for index in ahead[: max(1, fit)]]
        at += len(batch)
        yield batch
