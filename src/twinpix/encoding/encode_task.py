"""What encodes files in a worker: one read a file, one decode a content, all methods from that decode."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

from twinpix import fingerprints
from twinpix.errors import ImageError
from twinpix.executors import Begin
from twinpix.fingerprints import Fingerprint
from twinpix.imaging import Picture, decode, extra_decoder, pixel_digest, undecoded
from twinpix.model import Decode
from twinpix.sources import read
from twinpix.store import NOT_AN_IMAGE, Result

_CODED_AT_ONCE = 8  # orientations of pictures, after which the clock that a picture may take is set again


class EncodeItem(NamedTuple):
    """A file to read, and what need not be encoded of it."""

    row: int  # of the listing
    uri: str
    known: tuple[bytes, ...] | None  # digests of contents of this size whose codes are known; None: the digest will do


class Outcome(NamedTuple):
    """What a worker says of one file."""

    digest: bytes  # of its content; NOT_AN_IMAGE, which is empty, also when it could not be read
    version: bytes  # of the file as it was read; empty when it could not be read
    settled: bool
    results: dict[int, Result]  # by number of the method; none for a content that need not be encoded
    passing: list[int]  # methods whose failure another run may not see
    error: tuple[str, str] | None = None  # stage and reason, when it could not be read

    def note_failure(self, method: int, error: ImageError, decoder: str) -> None:
        """Note why a method has no code of the content, which `decoder` read, if an optional library did."""
        self.results[method] = Result(None, stage=error.stage, error=error.reason, decoder=decoder)
        if not error.lasting:
            self.passing.append(method)


@dataclass(frozen=True, slots=True)
class EncodeTask:
    """Encodes a batch of files; of files in it with the same content the first one."""

    methods: tuple[Fingerprint, ...]
    decode: Decode
    transforms: bool
    limited: bool = False  # whether a limit may refuse memory: asked before the processes start, once

    def __call__(self, batch: Sequence[EncodeItem], begin: Begin) -> list[Outcome]:
        import xxhash

        outcomes: list[Outcome] = []
        contents: dict[int, bytes] = {}  # those to encode, by index
        encoded: set[bytes] = set()
        for index, item in enumerate(batch):
            begin(index)
            try:
                content = read(item.uri)
            except ImageError as error:
                outcomes.append(Outcome(NOT_AN_IMAGE, b"", False, {}, [], (error.stage, error.reason)))
                continue
            digest = NOT_AN_IMAGE if content.data is None else xxhash.xxh3_128_digest(content.data)
            outcomes.append(Outcome(digest, content.version, content.settled, {}, []))
            is_wanted = item.known is not None and digest not in item.known and digest not in encoded
            if content.data is not None and is_wanted:
                encoded.add(digest)
                contents[index] = content.data
        self._encode(batch, contents, outcomes, begin)
        if self.limited:  # decoders that are refused memory say that the image is damaged, or worse
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
        """The code of each picture, or why it has none; when that fails of several at once, one after the other."""
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
        """Facts and small matrices for each of the methods, or why there are none; decodes once."""
        picture: Picture | None = None
        for number, method in enumerate(self.methods):
            try:
                if not method.decodes:
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
        information = fingerprints.detail_score_of(picture)
        pixels = None
        if information < fingerprints.LOW_DETAIL_BELOW and not picture.damaged:
            # Its hash will not be trusted: identity is all it can match by.
            with suppress(ImageError):  # it is not compared then, but it is an image
                pixels = pixel_digest(picture.data, picture.name)
        return Result(
            *(None, picture.width, picture.height, picture.format, picture.damaged, information, pixels),
            decoder=decoder,
            traits=picture.traits,
        )
