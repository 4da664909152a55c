"""Fingerprints as a stream: computed from files or images in memory, written during the run, read row by row.

A codes file is JSON lines: a header that names the methods, then one line for each image. A stopped run leaves no codes
file; the next run finds its codes in the store.
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
from twinpix.fingerprints import Fingerprint, detail_score_of, width_of
from twinpix.imaging import decode, picture_of
from twinpix.model import Bytes2D, Decode, Refs
from twinpix.progress import ProgressLike, progress_of
from twinpix.report.json import escape_surrogates
from twinpix.store import Result
from twinpix.usecases.hits import Compared, Hit, hit_of, identical_rows, near_rows, sort_hits

SCHEMA = "twinpix.codes/1"
CODES = outputs.starts("codes file of twinpix", b'{"schema": "twinpix.codes/')
_FIELDS = {"detail_score": "information"}  # of `Coded`, and their names in a codes file where these are others
CHUNK = 2_000  # files that are encoded between two writes, at least
_PER_WORKER = 200  # such files for each worker: with fewer, many workers would wait for the last ones
_TOGETHER = 20_000  # rows that are searched at once


class Header(NamedTuple):
    """The first line of a codes file."""

    methods: list[str]  # with their options, in the order of the codes of each row
    decode: Decode  # "fast" or "reference"
    transforms: bool  # whether each code has eight orientations
    variants: Sequence[str] = ()  # for each method: the digest of its network; "" if it has none


class Coded(NamedTuple):
    """The fingerprints of one image, or the reason why there are none."""

    path: str
    codes: list[bytes]  # one for each method; with transforms the eight orientations concatenated; [] after an error
    width: int = 0  # pixels
    height: int = 0  # pixels
    detail_score: int = 0  # number of low frequencies above the noise; below 26 there is too little texture for a hash
    digest: str = ""  # xxh3-128 of the file in hexadecimal digits; "" for an image in memory
    error: str = ""  # why there are no codes


def header_of(methods: Sequence[str] = (), options: Options | None = None) -> Header:
    """Return the header of a codes file by these methods.

    Args:
        methods: Fingerprints with their options; if empty, that of the options (`phash:size=16` by default).
        options: Options with which the codes are computed; the default ones if None.

    Returns:
        The header for `write_codes`.

    Raises:
        UsageError: A method is unknown or cannot be used here.

    Example:
        >>> twinpix.header_of(["phash"]).methods
        ['phash']
    """
    options = options or Options()
    prints = methods_of(options, methods or [options.code_method])
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
    """Yield the fingerprints of images as they are computed, in the order of their paths.

    Args:
        paths: One or several folders and image files.
        methods: Fingerprints with their options; if empty, that of the options (`phash:size=16` by default).
        options: Options of the run; the default ones if None.
        progress: As for `find`.
        **changes: Fields of `Options` that replace those in `options`.

    Returns:
        One row for each image; a row with `error` for each image that could not be processed. Errors that end the run
        are raised when the first row is requested, `WorkerError` at any row.

    Raises:
        UsageError: A path does not exist, or a method or option is unknown or unsuitable.
        StoreError: `store` names a file that is no store of twinpix, or a store that cannot be used.
        WorkerError: The worker processes have ended and no more of them can be started.

    Example:
        >>> for row in twinpix.encode_files_as_stream("photos", ["phash"], store=None):
        ...     print(row.path, len(row.codes[0]), "bytes")
        photos/beach.jpg 8 bytes
        photos/beach.png 8 bytes
        photos/forest.png 8 bytes
    """
    options, progress = Options.of(options, changes), progress_of(progress)
    names = names_of(paths)
    prints = methods_of(options, methods or [options.code_method])
    sources.require(names)
    listing = scan(options, progress, names)
    yield from (Coded(failure.path, [], error=failure.error) for failure in listing.failures)
    with open_session(options, progress) as session:
        chunk = max(CHUNK, _PER_WORKER * session.executor.size)
        for start in range(0, len(listing.refs), chunk):
            refs: Refs = listing.refs[start : start + chunk]
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
    """Yield the fingerprints of images in memory as they are computed. Only one image is in memory at a time.

    Args:
        pictures: Pairs of a name and an image: a Pillow image, a uint8 array of shape (rows, columns),
            (rows, columns, 3) RGB or (rows, columns, 4) RGBA with values from 0 to 255, the bytes of a file, or a path.
        methods: Fingerprints with their options; if empty, that of the options (`phash:size=16` by default).
        options: Options of the run; the default ones if None.
        **changes: Fields of `Options` that replace those in `options`.

    Returns:
        One row for each image; a row with `error` for each image that could not be processed. Errors that end the run
        are raised when the first row is requested.

    Raises:
        UsageError: A method or option is unknown or unsuitable.

    Example:
        >>> import numpy as np
        >>> stripes = np.zeros((64, 64), dtype=np.uint8)
        >>> stripes[::8] = 255
        >>> (row,) = twinpix.encode_pictures([("stripes", stripes)], ["phash"])
        >>> row.path, row.width, row.height, len(row.codes[0])
        ('stripes', 64, 64, 8)
    """
    options = Options.of(options, changes)
    prints = methods_of(options, methods or [options.code_method])
    for name, item in pictures:
        try:
            if isinstance(item, str | os.PathLike):
                item = sources.read(os.fspath(item)).data or b""
            data = item if isinstance(item, bytes) else None
            mode, wanted = options.decode, fingerprints.needs_of(prints)
            picture = picture_of(item, mode, *wanted) if data is None else decode(data, mode, name, *wanted)
            codes = [
                fingerprints.codes_of_one(method, picture, bool(options.transforms)).tobytes() for method in prints
            ]
            digest = "" if data is None else picture.file_digest().hex()
            yield Coded(name, codes, picture.width, picture.height, detail_score_of(picture), digest)
        except ImageError as error:
            yield Coded(name, [], error=error.reason)


def _row(uri: str, digest: str, results: Sequence[Result]) -> Coded:
    failed = next((result for result in results if result.code is None), None)
    if failed:
        return Coded(uri, [], digest=digest, error=failed.error)
    first = results[0]
    codes = [result.code or b"" for result in results]
    return Coded(uri, codes, first.width, first.height, first.detail_score, digest)


def write_codes(path: str, header: Header, rows: Iterable[Coded], *, force: bool = False) -> int:
    """Write a codes file row by row, under a temporary name until it is complete.

    Args:
        path: Path of the codes file.
        header: Header of the rows; see `header_of`.
        rows: Rows of `encode_files_as_stream` or `encode_pictures`.
        force: Replace a file that is no codes file.

    Returns:
        The number of images that have codes.

    Raises:
        UsageError: `path` is a file of another kind and `force` is not given. The file is unchanged.
        OutputError: The file cannot be written. An existing file is unchanged.

    Example:
        >>> rows = twinpix.encode_files_as_stream("photos", ["phash"], store=None)
        >>> twinpix.write_codes("codes.jsonl", twinpix.header_of(["phash"]), rows)
        3
    """
    count = 0
    with outputs.writing(path, CODES, force=force) as file:
        file.write(_line({"schema": SCHEMA, **header._asdict()}))
        for row in rows:
            known = {_FIELDS.get(name, name): value for name, value in row._asdict().items() if value}
            value = known | {"codes": [code.hex() for code in row.codes]}
            file.write(_line(value))
            count += bool(row.codes)
            if count % CHUNK == 0:
                file.flush()
    return count


def _line(value: dict[str, Any]) -> bytes:
    return (escape_surrogates(json.dumps(value, ensure_ascii=False)) + "\n").encode()


def read_codes(path: str) -> tuple[Header, Iterator[Coded]]:
    """Read a codes file row by row. An incomplete last line is ignored.

    Args:
        path: Path of a codes file.

    Returns:
        The header, and an iterator of the rows.

    Raises:
        UsageError: The file cannot be read or is no codes file; while iterating: a line is no row.

    Example:
        >>> rows = twinpix.encode_files_as_stream("photos", ["phash"], store=None)
        >>> _ = twinpix.write_codes("codes.jsonl", twinpix.header_of(["phash"]), rows)
        >>> header, rows = twinpix.read_codes("codes.jsonl")
        >>> header.methods, [row.path for row in rows]
        (['phash'], ['photos/beach.jpg', 'photos/beach.png', 'photos/forest.png'])
    """
    from twinpix.usecases.codesfile import LONGEST, Head, parse_line

    try:
        with open(path, "rb") as file:
            head = parse_line(file.readline(LONGEST), Head)
        variants = head.variants or [""] * len(head.methods)
        if head.schema != SCHEMA or len(variants) != len(head.methods):
            raise ValueError(head.schema)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {system_reason(error)}") from None
    except ValueError:
        raise UsageError(f"{path} holds no codes of schema {SCHEMA}: encode the images to a .jsonl file") from None
    return Header(head.methods, head.decode, head.transforms, variants), _rows(path, len(head.methods))


def _rows(path: str, methods: int) -> Iterator[Coded]:
    from twinpix.usecases.codesfile import LONGEST, Row, parse_line

    with open(path, "rb") as file:
        file.readline(LONGEST)  # the header
        for number in count(2):
            line = file.readline(LONGEST)
            if not line.endswith(b"\n") and len(line) < LONGEST:
                return
            try:
                row = parse_line(line, Row)
                if len(row.codes) not in (0, methods):
                    raise ValueError(f"{len(row.codes)} codes")
            except ValueError:
                raise UsageError(f"{path}, line {number}: not a row of codes; encode the images again") from None
            codes = list(map(bytes.fromhex, row.codes))
            yield Coded(row.path, codes, row.width, row.height, row.detail_score, row.digest, row.error)


def query_codes(
    image: Any,
    path: str,
    options: Options | None = None,
    *,
    name: str = "",
    progress: ProgressLike = None,
    **changes: Any,
) -> list[Hit]:
    """Find the copies of one image in a codes file, by the distance of the codes. The file is read in blocks.

    A codes file has no pixels: a copy that was recoloured, or edited in a small area, is called `re-encoded` or
    `resized`, unless its code is too far away. `query` and `find` read the images and name the difference.

    Args:
        image: An image as for `encode_pictures`.
        path: Path of a codes file.
        options: Options of the run. The method is by default the first one of the file.
        name: Name of the image in messages, if it is not a path.
        progress: As for `find`; also receives the note that an approximate search may have missed copies.
        **changes: Fields of `Options` that replace those in `options`.

    Returns:
        The copies, as `Hit` by increasing distance. The image itself is one of them if the file has it.

    Raises:
        UsageError: The image cannot be read, an option is unknown or unsuitable, or `path` cannot be read, is no codes
            file or has no codes of the method.

    Example:
        >>> rows = twinpix.encode_files_as_stream("photos", ["phash"], store=None)
        >>> _ = twinpix.write_codes("codes.jsonl", twinpix.header_of(["phash"]), rows)
        >>> [hit.path for hit in twinpix.query_codes("photos/beach.jpg", "codes.jsonl")]
        ['photos/beach.jpg', 'photos/beach.png']
    """
    header, rows = read_codes(path)
    options = Options.of(options, changes)
    options = replace(options, method=options.method or header.methods[0])
    method = method_of(options)
    at = _place_of(method, header, path)
    _require_answerable(options, header, path)
    shown = name or (os.fspath(image) if isinstance(image, str | os.PathLike) else "the image")
    options = replace(options, decode=header.decode, transforms=False)
    (mine,) = encode_pictures([(shown, image)], (), options)
    if mine.error:
        raise UsageError(f"cannot use {shown} as a query: {_why_no_query(image, mine.error)}")
    question = _facts(mine)
    code = np.frombuffer(mine.codes[0], dtype=np.uint8)[None, None]
    asked = Compared(code, np.array([mine.detail_score], np.int32))
    hits: list[Hit] = []
    searching = search.Search(options.search)
    radius = radius_of(options, method).value
    while block := list(islice(rows, _TOGETHER)):
        usable = [row for row in block if row.codes]
        if not usable:
            continue
        scores = np.array([row.detail_score for row in usable], np.int32)
        gallery = Compared(_gallery(usable, at, method, header.transforms, path), scores)
        same = identical_rows((mine.digest, None), ((row.digest, None) for row in usable))
        near = near_rows(method, asked, gallery, same, radius=radius, guard=options.guard, search=searching)
        hits += [
            hit_of(method, usable[row].path, question, _facts(usable[row]), found, same_file=row in same)
            for row, found in near.items()
        ]
    unsure = [how for how in searching.hows if not how.exact]
    if unsure:  # of all blocks together
        sampled, there = sum(how.sampled for how in unsure), sum(how.found for how in unsure)
        progress_of(progress).note(str(replace(unsure[0], sampled=sampled, found=there)))
    return sort_hits(hits)


def _why_no_query(image: Any, error: str) -> str:
    """Return why an image cannot be used, and what to do if it is a path of another kind."""
    if not isinstance(image, str | os.PathLike):
        return error
    path = os.fspath(image)
    return sources.explain_no_image(path) if sources.member_form(path) else error + sources.path_advice(path)


def _place_of(method: Fingerprint, header: Header, path: str) -> int:
    """Return the index of a method in the codes of a row; raises `UsageError` if the file has no such codes."""
    spec = plugins.describe(method)
    if spec not in header.methods:
        raise UsageError(f"{path} holds codes of {', '.join(header.methods)}, not of {spec}")
    if method.proposes:
        raise UsageError(f"codes of {spec} only propose candidate pairs: query the images themselves")
    at = header.methods.index(spec)
    if header.variants[at : at + 1] != [method.variant]:
        raise UsageError(f"{path} holds codes of another network than {spec} is now: encode the images again")
    return at


def _require_answerable(options: Options, header: Header, path: str) -> None:
    """Raise `UsageError` for an option that needs the images, or codes that the file does not have."""
    default = Options()
    for name in ("exclude", "min_size", "min_pixels", "recursive", "hidden", "follow_links", "reference", "cross"):
        if getattr(options, name) != getattr(default, name):
            what = f"{name} selects images, and a codes file is searched as a whole: leave it out"
            raise UsageError(what, field=name)
    if options.verify:
        raise UsageError("a codes file has no pixels to verify: query the images themselves")
    if options.transforms and not header.transforms:
        what = f"transforms needs codes of all orientations, and {path} holds those of one"
        raise UsageError(f"{what}: use it too when you encode the images", field="transforms")
    if options.decode != default.decode and options.decode != header.decode:
        raise UsageError(f"{path} holds codes of the {header.decode} decode: encode the images again")


def _gallery(rows: Sequence[Coded], at: int, method: Fingerprint, transforms: bool, path: str) -> Bytes2D:
    """Return the codes of rows, `(n, orientations, bytes)`; raises `UsageError` for a code of another size."""
    turns, width = fingerprints.turns_of(method, transforms), width_of(method)
    if all(len(row.codes[at : at + 1]) == 1 and len(row.codes[at]) == turns * width for row in rows):
        codes = np.frombuffer(b"".join(row.codes[at] for row in rows), dtype=np.uint8).reshape(-1, turns, width)
        if not method.broken(codes.reshape(-1, 1, width)).any():
            return codes
    raise UsageError(f"{path} holds codes that are none of {plugins.describe(method)}")


def _facts(row: Coded) -> Result:
    """Return what a row knows about an image, to name a relation."""
    return Result(None, row.width, row.height)
