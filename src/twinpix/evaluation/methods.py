"""Measure methods on images with a ground truth: one decode for all methods, one search for all radii."""

import os
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

import twinpix
from twinpix import fingerprints
from twinpix.encoding.options import Options
from twinpix.errors import UsageError
from twinpix.evaluation.curve import Curve, curve
from twinpix.evaluation.pairs import pairs_of
from twinpix.evaluation.rates import step_of, steps_of
from twinpix.executors import open_executor
from twinpix.fingerprints import Fingerprint
from twinpix.match.join import match, notes_of
from twinpix.model import Bytes2D, Failure, Fingerprints
from twinpix.progress import Progress
from twinpix.search import Search, check
from twinpix.usecases.encode import encode_files

_MANY = 20_000  # images: with more, the negative pairs within a large radius would fill the memory


class Measured(NamedTuple):
    """The precision-recall curve of one method."""

    spec: str
    bits: int
    normal: float  # its radius of normal strictness
    curve: Curve  # by radius in steps
    step: float = 1  # bits, or cosine distance

    @property
    def recommended(self) -> float:
        """The smallest radius with the best F1."""
        return round(self.curve.recommended * self.step, 3)  # an int remains an int

    @property
    def usual(self) -> tuple[float, float]:
        """Precision and recall at normal strictness."""
        at = int(self.normal / self.step + 1e-6)
        return float(self.curve.precision[at]), float(self.curve.recall[at])


class Measurement(NamedTuple):
    """The measurements, and the data they were made on."""

    methods: list[Measured]
    images: int  # number of images in the ground truth that have a code
    pairs: int  # positive pairs of the ground truth
    without_code: list[str]  # names in the ground truth without a readable image
    failures: list[Failure]


def measure(
    truth: Mapping[str, Sequence[str]],
    folder: str,
    specs: Sequence[str],
    options: Options | None = None,
    progress: Progress | None = None,
) -> Measurement:
    """Return the precision-recall curves of methods on the images below `folder` that are in the ground truth.

    Names are relative to the folder; a file name without its folders is enough if only one image has it. Images that
    are not in the ground truth are ignored. A search that may miss pairs is reported as a note of `progress`.

    Raises `UsageError` for a ground truth without a positive pair, a method without radii, or fewer than two readable
    images.
    """
    options, progress = options or Options(), progress or Progress()
    if not pairs_of(truth):
        raise UsageError("the ground truth has no pair of copies")
    for spec in specs:
        if fingerprints.make(spec).proposes:
            raise UsageError(f"{spec} has no radii to draw a curve of: evaluate what find reports with it")
        if metric := fingerprints.make(spec).metric:
            check(options.search, metric)
    coded = _encode_images(truth, folder, specs, options, progress)
    numbers = {name: number for number, name in enumerate(truth)}
    real = np.array(sorted(pairs_of(truth)), dtype=np.int64).reshape(-1, 2)
    out, there = [], np.zeros(0, dtype=np.int64)
    with open_executor(options.executor, options.workers, options.timeout, progress.note) as executor:
        for spec, prints in coded.items():
            method = fingerprints.make(spec)
            rows, there = _rows_of(prints, folder, numbers)
            codes = prints.codes[rows] if prints.codes.ndim == 3 else prints.codes[rows][:, None]
            search = Search(options.search, workers=executor if executor.remote else None)
            curve = _curve(method, codes, there, real, search)
            for note in notes_of(search, 0.0):
                progress.note(f"{spec}: {note}")
            out.append(Measured(spec, method.bits, method.radii["normal"], curve, step_of(method)))
    known = set(there.tolist())
    if len(known) < 2:
        raise UsageError(f"of the {len(truth)} images in the truth, {len(known)} can be read below {folder}")
    missing = [name for name, number in numbers.items() if number not in known]
    failures = next(iter(coded.values())).failures
    return Measurement(out, len(known), len(real), missing, failures)


def _encode_images(
    truth: Mapping[str, Sequence[str]],
    folder: str,
    specs: Sequence[str],
    options: Options,
    progress: Progress,
) -> dict[str, Fingerprints]:
    """Return the codes of the named images or, if a name is not a path below the folder, of all images in it."""
    files = [os.path.join(folder, name) for name in truth]
    if all(map(os.path.isfile, files)):
        return encode_files(files, specs, options, progress=progress)
    return twinpix.encode([folder], specs, options, progress=progress)


def _rows_of(
    prints: Fingerprints, folder: str, numbers: Mapping[str, int]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows of the images in the ground truth, and their numbers in it; both `(n,)`."""
    names = [os.path.relpath(uri, folder).replace(os.sep, "/") for uri in prints.refs.uris]
    numbers = {_relative(name, folder): number for name, number in numbers.items()}
    short: dict[str, list[int]] = {}
    for row, name in enumerate(names):
        short.setdefault(name.rpartition("/")[2], []).append(row)
    place = {numbers[name]: row for row, name in enumerate(names) if name in numbers}
    for name, number in numbers.items():
        if number not in place and len(rows := short.get(name, [])) == 1:
            place[number] = rows[0]
    return np.array(list(place.values()), dtype=np.int64), np.array(list(place), dtype=np.int64)


def _relative(name: str, folder: str) -> str:
    """Return a name of the ground truth, which may be an absolute path, relative to the folder."""
    return os.path.relpath(name, folder).replace(os.sep, "/") if os.path.isabs(name) else name


def _far(method: Fingerprint, images: int) -> float:
    """Return the largest radius of the curve."""
    loose, most = method.radii["loose"], method.farthest
    if method.unit == "cosine":
        return min(most, max(loose, method.radii["normal"]) + (0.2 if images <= _MANY else 0.1))
    beyond = method.bits // (8 if images <= _MANY else 16)
    return min(most, max(int(loose) + beyond, method.bits // 6))  # at least 10 of 64 bits, the radius of other tools


def _curve(
    method: Fingerprint, codes: Bytes2D, numbers: NDArray[np.int64], real: NDArray[np.int64], search: Search
) -> Curve:
    """Return the curve of codes `(n, orientations, bytes)`.

    `numbers` `(n,)` are the numbers of these images in the ground truth, `real` `(m, 2)` its positive pairs.
    """
    row_of = np.full(max(int(numbers.max(initial=-1)), int(real.max(initial=-1))) + 1, -1, dtype=np.int64)
    row_of[numbers] = np.arange(len(numbers))
    rows = np.sort(row_of[real], axis=1)
    rows = rows[rows[:, 0] >= 0]
    n = len(codes)
    radius = _far(method, n)
    found = match(method.comparable(codes), np.arange(n), np.empty(0, np.int64), radius, search)
    true = np.isin(found.i * n + found.j, rows[:, 0] * n + rows[:, 1])
    steps = steps_of(method, found.distance)
    missing = len(real) - int(true.sum())
    return curve(steps[true], steps[~true], missing, round(radius / step_of(method)))
