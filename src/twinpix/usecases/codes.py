"""Codes as a stream: made from files, or from pictures in memory, written as they come, read row by row.

A codes file is JSON, a value a line: a header that names the methods, then a row an image. A run that is stopped
leaves no codes file; the next run finds its codes in the store.
"""

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import count, islice
from typing import Any, NamedTuple

import numpy as np

from twinpix import fingerprints, outputs, plugins, search, sources
from twinpix.encoding.encoder import Encoder
from twinpix.encoding.methods import method_of, methods_of, radius_of
from twinpix.encoding.options import Options, Paths, names_of
from twinpix.encoding.session import open_session, scan
from twinpix.errors import ImageError, UsageError, system_reason
from twinpix.fingerprints import INFORMATION_FLOOR, Fingerprint, information_of, width_of
from twinpix.imaging import decode, picture_of
from twinpix.match import relation
from twinpix.match.join import nearest
from twinpix.model import Bytes2D, Decode, Refs
from twinpix.progress import ProgressLike, progress_of
from twinpix.report.json import escaped
from twinpix.store import Result
from twinpix.usecases.query import Hit

SCHEMA = "twinpix.codes/1"
CODES = outputs.starts("codes file of twinpix", b'{"schema": "twinpix.codes/')
CHUNK = 2_000  # files that are coded between two writes
_TOGETHER = 20_000  # rows that are looked in at once

Pictures = "Image.Image | NDArray[Any] | bytes | os.PathLike[str] | str"


class Header(NamedTuple):
    """What the codes of a file are."""

    methods: list[str]
    decode: Decode
    transforms: bool
    variants: Sequence[str] = ()  # of each method: which network, where it is one


class Coded(NamedTuple):
    """One image: its codes in the order of the header's methods, or why there are none."""

    path: str
    codes: list[bytes]  # of one orientation, or of eight on end
    width: int = 0
    height: int = 0
    information: int = 0
    digest: str = ""  # of the file; a picture in memory has none
    error: str = ""


def header_of(methods: Sequence[str] = (), options: Options | None = None) -> Header:
    """The header of codes by these methods; raises `UsageError` for one that there is not."""
    options = options or Options()
    prints = methods_of(options, methods or [options.method])
    specs, variants = list(map(plugins.describe, prints)), [method.variant for method in prints]
    return Header(specs, options.decode, bool(options.transforms), variants)


def encode_files_as_stream(
    paths: Paths | Iterable[Paths],
    methods: Sequence[str] = (),
    options: Options | None = None,
    *,
    progress: ProgressLike = None,
    **changes: Any,
) -> Iterator[Coded]:
    """The codes of every image below `paths`, sorted by path, as they are made; failures are rows with `error`."""
    options, progress = Options.of(options, changes), progress_of(progress)
    names = names_of(paths)
    prints = methods_of(options, methods or [options.method])
    sources.require(names)
    listing = scan(options, progress, names)
    yield from (Coded(failure.path, [], error=failure.error) for failure in listing.failures)
    with open_session(options, progress) as session:
        for start in range(0, len(listing.refs), CHUNK):
            refs: Refs = listing.refs[start : start + CHUNK]
            encoder = Encoder(session, prints, options.decode, bool(options.transforms))
            digests = encoder.encode(refs)
            unread = {failure.path: failure.error for failure in encoder.failures}
            for uri, digest in zip(refs.uris, digests, strict=True):
                if digest:
                    yield _row(uri, digest.hex(), [encoder.result(digest, at) for at in range(len(prints))])
                elif uri in unread:
                    yield Coded(uri, [], error=unread[uri])


def encode_pictures(
    pictures: Iterable[tuple[str, Any]], methods: Sequence[str] = (), options: Options | None = None, **changes: Any
) -> Iterator[Coded]:
    """The codes of named pictures as they come: Pillow images, arrays `(rows, columns[, 3 or 4])` uint8, the bytes
    of files, or paths. Nothing but the one at hand is kept in memory."""
    options = Options.of(options, changes)
    prints = methods_of(options, methods or [options.method])
    for name, item in pictures:
        try:
            if isinstance(item, str | os.PathLike):
                item = sources.read(os.fspath(item)).data or b""
            data = item if isinstance(item, bytes) else None
            mode, wanted = options.decode, fingerprints.wanted(prints)
            picture = picture_of(item, mode, *wanted) if data is None else decode(data, mode, name, *wanted)
            codes = [
                fingerprints.codes_of_one(method, picture, bool(options.transforms)).tobytes() for method in prints
            ]
            digest = "" if data is None else picture.file_digest().hex()
            yield Coded(name, codes, picture.width, picture.height, information_of(picture), digest)
        except ImageError as error:
            yield Coded(name, [], error=error.reason)


def _row(uri: str, digest: str, results: Sequence[Result]) -> Coded:
    failed = next((result for result in results if result.code is None), None)
    if failed:
        return Coded(uri, [], digest=digest, error=failed.error)
    first = results[0]
    codes = [result.code or b"" for result in results]
    return Coded(uri, codes, first.width, first.height, first.information, digest)


def write_codes(path: str, header: Header, rows: Iterable[Coded], *, force: bool = False) -> int:
    """Write a codes file as its rows come, beside `path` until it is whole; returns how many images have codes.

    Raises `OutputError` when that is not possible, `UsageError` for a file that holds no codes unless `force` is
    given; the file that was at `path` before is there still.
    """
    count = 0
    with outputs.writing(path, CODES, force=force) as file:
        file.write(_line({"schema": SCHEMA, **header._asdict()}))
        for row in rows:
            value = {key: item for key, item in row._asdict().items() if item and key != "codes"}
            value["codes"] = [code.hex() for code in row.codes]
            file.write(_line(value))
            count += bool(row.codes)
            if count % CHUNK == 0:
                file.flush()
    return count


def _line(value: dict[str, Any]) -> bytes:
    return (escaped(json.dumps(value, ensure_ascii=False)) + "\n").encode()


def read_codes(path: str) -> tuple[Header, Iterator[Coded]]:
    """What the codes of a file are, and its rows, read as they are asked for.

    The last line may be cut off, as a run that was killed leaves it. Raises `UsageError` for another file.
    """
    from twinpix.usecases.codesfile import LONGEST, Head, parsed

    try:
        with open(path, "rb") as file:
            head = parsed(file.readline(LONGEST), Head)
        variants = head.variants or [""] * len(head.methods)
        if head.schema != SCHEMA or len(variants) != len(head.methods):
            raise ValueError(head.schema)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {system_reason(error)}") from None
    except ValueError:
        raise UsageError(f"{path} holds no codes of schema {SCHEMA}") from None
    return Header(head.methods, head.decode, head.transforms, variants), _rows(path, len(head.methods))


def _rows(path: str, methods: int) -> Iterator[Coded]:
    from twinpix.usecases.codesfile import LONGEST, Row, parsed

    with open(path, "rb") as file:
        file.readline(LONGEST)  # the header
        for number in count(2):
            line = file.readline(LONGEST)
            if not line.endswith(b"\n") and len(line) < LONGEST:
                return
            try:
                row = parsed(line, Row)
                if len(row.codes) not in (0, methods):
                    raise ValueError(f"{len(row.codes)} codes")
            except ValueError:
                raise UsageError(f"{path}, line {number}: not a row of codes; encode the images again") from None
            codes = list(map(bytes.fromhex, row.codes))
            yield Coded(row.path, codes, row.width, row.height, row.information, row.digest, row.error)


def query_codes(
    image: Any,
    path: str,
    options: Options | None = None,
    *,
    name: str = "",
    progress: ProgressLike = None,
    **changes: Any,
) -> list[Hit]:
    """The images of a codes file that are the same picture as `image`, nearest first; see `encode_pictures`.

    The file is read in a stream; its first method counts unless the options name another of its methods.
    `progress` is told when the search may have missed some. Raises `UsageError` when the image cannot be read or the
    codes are of another method.
    """
    header, rows = read_codes(path)
    options = Options.of(options or Options(method=header.methods[0]), changes)
    method = method_of(options)
    at = _place_of(method, header, path)
    shown = name or (os.fspath(image) if isinstance(image, str | os.PathLike) else "the picture")
    options = replace(options, decode=header.decode, transforms=False)
    (mine,) = encode_pictures([(shown, image)], [options.method], options)
    if mine.error:
        raise UsageError(f"cannot use {shown} as a query: {mine.error}")
    hits: list[Hit] = []
    searching = search.Search(options.search)
    radius = radius_of(options, method).value
    floor = INFORMATION_FLOOR if options.guard else 0  # below it a code means nothing
    while block := list(islice(rows, _TOGETHER)):
        twins = {row.path for row in block if row.codes and row.digest and row.digest == mine.digest}
        hits += [Hit(path, 0, "identical-file") for path in twins]
        usable = [row for row in block if row.codes and row.path not in twins and row.information >= floor]
        if usable and mine.information >= floor:
            gallery = _gallery(usable, at, method, header.transforms, path)
            code = np.frombuffer(mine.codes[0], dtype=np.uint8)
            near = nearest(method, code, gallery, radius, searching)
            hits += [_hit(method, mine, usable[row], gap, turn) for row, (gap, turn) in near.items()]
    unsure = [how for how in searching.hows if not how.exact]
    if unsure:  # of all blocks together
        sampled, there = sum(how.sampled for how in unsure), sum(how.found for how in unsure)
        progress_of(progress).note(str(replace(unsure[0], sampled=sampled, found=there)))
    return sorted(hits, key=lambda hit: (hit.distance, hit.path))


def _place_of(method: Fingerprint, header: Header, path: str) -> int:
    """Where a method's codes stand in a row; raises `UsageError` when there are none that can be compared."""
    spec = plugins.describe(method)
    if spec not in header.methods:
        raise UsageError(f"{path} holds codes of {', '.join(header.methods)}, not of {spec}")
    if method.proposes:
        raise UsageError(f"codes of {spec} only propose pairs: query the images themselves (--in PATH)")
    at = header.methods.index(spec)
    if header.variants[at : at + 1] != [method.variant]:
        raise UsageError(f"{path} holds codes of another network than {spec} is now: encode the images again")
    return at


def _gallery(rows: Sequence[Coded], at: int, method: Fingerprint, transforms: bool, path: str) -> Bytes2D:
    """The codes `(n, turns, bytes)` of rows; raises `UsageError` for what is no code of the method."""
    turns, width = fingerprints.turns_of(method, transforms), width_of(method)
    if all(len(row.codes[at : at + 1]) == 1 and len(row.codes[at]) == turns * width for row in rows):
        codes = np.frombuffer(b"".join(row.codes[at] for row in rows), dtype=np.uint8).reshape(-1, turns, width)
        if not method.broken(codes.reshape(-1, 1, width)).any():
            return codes
    raise UsageError(f"{path} holds codes that are none of {plugins.describe(method)}")


def _hit(method: Fingerprint, query: Coded, row: Coded, distance: float, turn: int) -> Hit:
    ours, theirs = Result(None, query.width, query.height), Result(None, row.width, row.height)
    return Hit(row.path, distance, relation.relation(method, ours, theirs, distance, turn))
