"""Measure the recall of methods on generated copies of the user's images, at fixed false-match rates."""

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

import twinpix
from twinpix import fingerprints, sources
from twinpix.encoding.methods import methods_of
from twinpix.encoding.options import Options, Paths, names_of
from twinpix.encoding.session import open_session, scan
from twinpix.errors import ImageError, UsageError
from twinpix.evaluation.edits import EDITS, make_edit
from twinpix.evaluation.rates import Point, distances, points, radius_of
from twinpix.executors import Begin, Lost
from twinpix.fingerprints import LOW_DETAIL_BELOW, Fingerprint, detail_score_of
from twinpix.imaging import decode, thumbnail
from twinpix.model import Decode, Failure, file_name
from twinpix.progress import Progress
from twinpix.search import self_join
from twinpix.text import plural, printable

RATES = (1e-4, 1e-5, 1e-6)
_SIDE = 1024  # pixels of the longer side to which an original is reduced before it is edited


class Finds(NamedTuple):
    """The recall of one method, with one orientation or with all eight."""

    spec: str
    bits: int
    turns: int
    points: list[Point]
    by_edit: dict[str, float]  # recall at the last point


class CopiesFound(NamedTuple):
    """The measurements, and the data they were made on."""

    finds: list[Finds]
    images: int
    pairs: int  # negative pairs, the denominator of the false-match rates
    low_detail: int  # images left out for too little texture
    alike: int  # images left out as copies of another one
    failures: list[Failure]


@dataclass(frozen=True, slots=True)
class EditTask:
    """Encodes images and their edited copies in a worker."""

    stage: ClassVar[str] = "read"

    methods: tuple[Fingerprint, ...]
    decode: Decode
    seed: int

    def __call__(self, batch: Sequence[str], begin: Begin) -> list[Any]:
        return [self._one(path) for path in batch]

    def _one(self, path: str) -> list[NDArray[np.uint8]] | Failure | None:
        """Return by method the codes `(1 + edits, 8, bytes)` of an original and its copies.

        None if the file is not an image or has too little texture for a hash.
        """
        try:
            data = sources.read(path).data
            if data is None:
                return None
            wanted = fingerprints.needs_of(self.methods)
            picture = decode(data, self.decode, path, *wanted)
            if detail_score_of(picture) < LOW_DETAIL_BELOW:
                return None
            image = thumbnail(data, _SIDE, path)
            files = [make_edit(image, name, f"{self.seed}/{file_name(path)}") for name in EDITS]
            pictures = [picture, *(decode(file, self.decode, "", *wanted) for file in files)]
            codes = [fingerprints.codes_of(method, pictures, transforms=True) for method in self.methods]
            if any(method.broken(code).any() for method, code in zip(self.methods, codes, strict=True)):
                raise ImageError("code", fingerprints.NOTHING)
            return codes
        except ImageError as error:
            return Failure(path, error.stage, error.reason)
        except (ValueError, OSError) as error:  # an edit is not possible, for example of a very small image
            return Failure(path, "edit", str(error))


def find_copies(
    paths: Paths | Iterable[Paths],
    specs: Sequence[str],
    *,
    count: int = 300,
    seed: int = 0,
    options: Options | None = None,
    progress: Progress | None = None,
) -> CopiesFound:
    """Make edited copies of up to `count` images below `paths`, and measure the recall of each method on them.

    A positive pair is an original and a copy of it, a negative pair an original and a copy of another one. Images with
    too little texture for a hash, and copies of another original (found by a cascade first), are left out: they would
    count as false matches. The same seed gives the same copies.

    Raises `UsageError` for a path that does not exist, for a method without distances, or if fewer than two images are
    left.
    """
    options, progress = options or Options(), progress or Progress()
    methods = methods_of(options, specs)
    for spec, method in zip(specs, methods, strict=True):
        if method.by_equality:
            raise UsageError(f"{spec} compares for equality: of edited copies it finds none")
        if method.proposes:
            raise UsageError(f"{spec} has no distances to measure: its pairs are copies or not, by their pixels")
    given = names_of(paths)
    sources.require(given)
    listing = scan(options, progress, given)
    files = list(listing.refs.uris)
    random.Random(seed).shuffle(files)
    task = EditTask(methods, options.decode, seed)
    coded: list[list[NDArray[np.uint8]]] = []
    names: list[str] = []
    failures = list(listing.failures)
    low_detail = 0
    of_all_edits = replace(options, timeout=options.timeout * len(EDITS), store=None)
    total = min(count, len(files))
    used = 0  # images that count as progress: those that are left out are not a part of the total
    with open_session(of_all_edits, progress) as session, progress.stage("read", total):
        pool = session.executor
        for start in range(0, len(files), pool.size * 8):
            if len(coded) >= count:
                break
            found: dict[str, Any] = {}
            for path, result in pool.map(task, [[path] for path in files[start : start + pool.size * 8]]):
                found[path] = Failure(path, "decode", result.reason) if isinstance(result, Lost) else result
                if isinstance(result, list) and used < total:
                    used += 1
                    progress.advance(1)
            for path in sorted(found, key=files.index):
                if isinstance(found[path], Failure):
                    failures.append(found[path])
                elif found[path] is None:
                    low_detail += 1
                else:
                    coded.append(found[path])
                    names.append(path)
    coded, names = coded[:count], names[:count]
    different = _first_of_each(_groups_among(names, options, progress), _different(methods, coded), names)
    if len(different) < 2:
        raise UsageError(f"at least two images with some detail, unlike each other, are needed{_first_of(failures)}")
    finds = []
    for number, method in enumerate(methods):
        codes = np.stack([coded[at][number] for at in different])
        finds += [_finds(specs[number], method, codes, turns) for turns in (1, fingerprints.TURNS)]
    n = len(different)
    return CopiesFound(finds, n, n * (n - 1) * len(EDITS), low_detail, len(coded) - n, failures)


def _first_of(failures: Sequence[Failure]) -> str:
    """Return how many files could not be used, with the reason of the first; "" if there is none."""
    if not failures:
        return ""
    first = failures[0]
    return f"; {plural(len(failures), 'file')} could not be used, first {printable(first.path)}: {first.error}"


def _first_of_each(groups: Mapping[str, int], rows: Sequence[int], names: Sequence[str]) -> list[int]:
    """Return the rows without those whose group has an earlier row."""
    kept, seen = [], set()
    for row in rows:
        group = groups.get(names[row])
        if group is None or group not in seen:
            kept.append(row)
            seen.add(group)
    return kept


def _groups_among(names: Sequence[str], options: Options, progress: Progress) -> dict[str, int]:
    """Return the group of each original that has copies among the originals, found by a cascade."""
    if len(names) < 2:
        return {}
    found = twinpix.find(names, options, method="cascade", decode="fast", radius=None, hidden=True, progress=progress)
    return {member.path: group.id for group in found.groups for member in group.members}


def _different(methods: Sequence[Fingerprint], coded: Sequence[Sequence[NDArray[np.uint8]]]) -> list[int]:
    """Return the rows of originals that match no earlier one, at the strict radius of the method with the most bits."""
    if not coded:
        return []
    judge = max(range(len(methods)), key=lambda number: methods[number].bits)
    codes = np.stack([codes[judge][0, 0] for codes in coded])
    _, later, _ = self_join(methods[judge].comparable(codes), methods[judge].radii["strict"])
    return sorted(set(range(len(coded))) - set(later.tolist()))


def _finds(spec: str, method: Fingerprint, codes: NDArray[np.uint8], turns: int) -> Finds:
    """Measure a method with `turns` orientations; `codes` is `(n, 1 + edits, 8, bytes)`, originals first."""
    n, edits = len(codes), len(EDITS)
    copies = codes[:, 1:, :turns].reshape(n * edits, turns, -1)
    gaps = distances(method, codes[:, 0, 0], copies)
    same = np.arange(n)[:, None] == np.arange(n * edits)[None] // edits
    found = points(gaps, same, RATES)
    steps = found[-1].radius if found else -1
    by_edit = (gaps[same].reshape(n, edits) <= steps).mean(axis=0).tolist()
    found = [point._replace(radius=radius_of(method, int(point.radius))) for point in found]
    return Finds(spec, method.bits, turns, found, dict(zip(EDITS, by_edit, strict=True)))
