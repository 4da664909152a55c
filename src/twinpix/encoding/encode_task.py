"""The task that encodes files in a worker: one read per file, one decode per content, used by all methods."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from twinpix import fingerprints
from twinpix.errors import ImageError
from twinpix.executors import Begin
from twinpix.fingerprints import Fingerprint
from twinpix.imaging import Picture, decode, extra_decoder, pixel_digest, read_header
from twinpix.model import Decode
from twinpix.sources import read_each
from twinpix.store import NOT_AN_IMAGE, Result

_CODED_AT_ONCE = 8  # matrices encoded in one call (images times orientations); the timeout starts anew after each call


class EncodeItem(NamedTuple):
    """A file to read, and the contents that need not be encoded."""

    row: int  # in the listing
    uri: str
    known: tuple[bytes, ...] | None  # digests of this size whose codes are known; None: only compute the digest


class Outcome(NamedTuple):
    """The result of a worker for one file."""

    digest: bytes  # of its content; `NOT_AN_IMAGE` (empty) also if it could not be read
    version: bytes  # of the file as it was read; empty if it could not be read
    settled: bool
    results: dict[int, Result]  # by number of the method; empty if the content need not be encoded
    passing: list[int]  # methods whose result is not stored, since another run may succeed
    error: tuple[str, str] | None = None  # stage and reason, if it could not be read

    def note_failure(self, method: int, error: ImageError, decoder: str) -> None:
        """Record why a method has no code of the content; `decoder` is the optional library that read it, if any."""
        self.results[method] = Result(None, stage=error.stage, error=error.reason, decoder=decoder)
        if not error.lasting:
            self.passing.append(method)


@dataclass(frozen=True, slots=True)
class EncodeTask:
    """Encodes a batch of files; of files with the same content, only the first one."""

    stage: ClassVar[str] = "read"

    methods: tuple[Fingerprint, ...]
    decode: Decode
    transforms: bool
    limited: bool = False  # whether a memory limit is set; determined once, in the parent

    def __call__(self, batch: Sequence[EncodeItem], begin: Begin) -> list[Outcome]:
        import xxhash

        outcomes: list[Outcome] = []
        contents: dict[int, bytes] = {}  # contents to encode, by index in the batch
        encoded: set[bytes] = set()
        read = read_each(item.uri for item in batch)
        for index, item in enumerate(batch):
            begin(index)
            content = next(read)
            if isinstance(content, ImageError):
                outcomes.append(Outcome(NOT_AN_IMAGE, b"", False, {}, [], (content.stage, content.reason)))
                continue
            digest = NOT_AN_IMAGE if content.data is None else xxhash.xxh3_128_digest(content.data)
            outcomes.append(Outcome(digest, content.version, content.settled, {}, []))
            is_wanted = item.known is not None and digest not in item.known and digest not in encoded
            if content.data is not None and is_wanted:
                encoded.add(digest)
                contents[index] = content.data
        self._encode(batch, contents, outcomes, begin)
        if self.limited:  # without memory, decoders report an intact image as damaged, or fail
            for outcome in outcomes:
                outcome.passing.extend(n for n, found in outcome.results.items() if found.damaged or found.code is None)
        return outcomes

    def _encode(
        self, batch: Sequence[EncodeItem], contents: dict[int, bytes], outcomes: Sequence[Outcome], begin: Begin
    ) -> None:
        prepared: dict[int, list[tuple[int, Result, list[fingerprints.base.Array]]]] = {}
        for index in list(contents):
            begin(index)
            data, outcome, name = contents.pop(index), outcomes[index], batch[index].uri
            for number, item in self._prepare(data, name):
                if isinstance(item, ImageError):
                    outcome.note_failure(number, item, extra_decoder(data, name))
                else:
                    prepared.setdefault(number, []).append((index, *item))
        for number, items in prepared.items():
            method = self.methods[number]
            step = _CODED_AT_ONCE // len(items[0][2])
            for at in range(0, len(items), step):
                some = items[at : at + step]
                begin(some[0][0])
                codes = self._codes(method, [small for _, _, small in some])
                for (index, facts, _), code in zip(some, codes, strict=True):
                    if isinstance(code, ImageError):
                        outcomes[index].note_failure(number, code, facts.decoder)
                    else:
                        outcomes[index].results[number] = facts._replace(code=code)

    def _codes(
        self, method: Fingerprint, prepared: Sequence[Sequence[fingerprints.base.Array]]
    ) -> list[bytes | ImageError]:
        """Return the code of each image, or the error. If several together fail, they are encoded one by one."""
        try:
            codes = fingerprints.codes_from(method, prepared, self.decode)
        except ImageError as error:
            return [error] if len(prepared) == 1 else [self._codes(method, [each])[0] for each in prepared]
        broken = method.broken(codes).tolist()
        nothing = ImageError("code", fingerprints.NOTHING)
        return [nothing if wrong else code.tobytes() for code, wrong in zip(codes, broken, strict=True)]

    def _prepare(
        self, data: bytes, name: str
    ) -> Iterator[tuple[int, tuple[Result, list[fingerprints.base.Array]] | ImageError]]:
        """Yield for each method its number with the facts and matrices it encodes, or with the error; decode once."""
        picture: Picture | None = None
        for number, method in enumerate(self.methods):
            try:
                if not method.decodes:
                    plain = read_header(data, name)
                    facts = Result(None, plain.width, plain.height, plain.format)
                    yield number, (facts, fingerprints.matrices(method, plain, self.transforms))
                    continue
                if picture is None:
                    picture = decode(data, self.decode, name, *fingerprints.needs_of(self.methods))
                    known = self._facts(picture, extra_decoder(data, name))
                yield number, (known, fingerprints.matrices(method, picture, self.transforms))
            except ImageError as error:
                yield number, error

    def _facts(self, picture: Picture, decoder: str) -> Result:
        score = fingerprints.detail_score_of(picture)
        pixels = None
        if score < fingerprints.LOW_DETAIL_BELOW and not picture.damaged:
            # An image with so little texture is not matched by its hash, only by identical pixels.
            with suppress(ImageError):  # the image is kept, without a digest of its pixels
                pixels = pixel_digest(picture.data, picture.name)
        return Result(
            *(None, picture.width, picture.height, picture.format, picture.damaged, score, pixels),
            decoder=decoder,
            traits=picture.traits,
        )
