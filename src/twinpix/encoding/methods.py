"""Resolve the options of a run: the method, its radius, and whether verification decides."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from twinpix import fingerprints, search
from twinpix.encoding.options import FAST_METHOD, Options
from twinpix.errors import UsageError
from twinpix.fingerprints import Fingerprint
from twinpix.model import DistanceUnit, format_distance

_RADIUS = {
    "bits": "",
    "cosine": "a cosine distance ",
    "share": "the share of the overlap that may differ, ",
}


class Radius(NamedTuple):
    """The largest distance that matches."""

    value: float
    unit: DistanceUnit


@dataclass(frozen=True, slots=True)
class MatchSettings:
    """How images are compared: the options of a run, resolved and checked against each other."""

    method: Fingerprint
    radius: Radius
    verified: bool  # whether verification decides every pair
    search: str  # the back end that compares codes


def settings_of(options: Options) -> MatchSettings:
    """Resolve the options of a run; raises `UsageError` if they do not fit the method or each other."""
    method = method_of(options)
    radius = radius_of(options, method)
    if method.metric:
        search.check(options.search, method.metric)
    elif options.search != "auto" and method.proposes:
        what = f"search cannot be chosen for {options.matching_method}, which has no search back ends: leave it out"
        raise UsageError(what + _or_hash(method), field="search")
    return MatchSettings(method, radius, is_verified(options, method), options.search)


def method_of(options: Options) -> Fingerprint:
    """Return the method of the options; raises `UsageError` like `methods_of`."""
    return methods_of(options, [options.matching_method])[0]


def methods_of(options: Options, specs: Sequence[str]) -> tuple[Fingerprint, ...]:
    """Return the methods described by `specs`.

    Raises `UsageError` for a method that is unknown, cannot be combined with transforms, or cannot be used here.
    """
    methods = tuple(fingerprints.make(spec) for spec in specs)
    if options.device:
        methods = fingerprints.place_on_device(methods, options.device)
    for spec, method in zip(specs, methods, strict=True):
        if options.transforms and method.by_equality:
            what = f"transforms cannot be combined with {spec}, which compares for equality: leave it out"
            raise UsageError(what, field="transforms")
        method.check()
    return methods


def is_verified(options: Options, method: Fingerprint) -> bool:
    """Return whether verification decides every pair; raises `UsageError` if it is required but switched off."""
    if method.proposes:
        if options.verify is False:
            what = f"{options.matching_method} only proposes candidate pairs: its pairs must be verified"
            raise UsageError(what + _or_hash(method))
        return True
    return bool(options.verify) and not method.by_equality


def radius_of(options: Options, method: Fingerprint) -> Radius:
    """Return the given radius or, without one, that measured for the strictness.

    Raises `UsageError` if the radius, precision or strictness does not fit the method.
    """
    if options.precision is not None:
        _check_precision(options, method)
    if options.radius is not None:
        return Radius(_check_radius(options, method, options.radius), method.unit)
    if options.strictness not in method.radii:
        raise UsageError(
            f"strictness is one of {', '.join(method.radii)}, not {options.strictness!r}", field="strictness"
        )
    return Radius(method.radii[options.strictness], method.unit)


def _check_radius(options: Options, method: Fingerprint, radius: float) -> float:
    spec = options.matching_method
    if not 0 <= radius <= method.farthest:
        what = f"{_RADIUS[method.unit]}between 0 and {method.farthest}"
        raise UsageError(f"the radius of {spec} is {what}, not {format_distance(radius)}{_or_hash(method)}")
    if method.unit != "bits":
        return float(radius)
    if radius != int(radius):
        raise UsageError(f"the radius of {spec} is a whole number of bits, not {format_distance(radius)}")
    if method.by_equality and radius:
        raise UsageError(f"{spec} compares for equality: its only radius is 0")
    return int(radius)


def _or_hash(method: Fingerprint) -> str:
    return f"; or choose a hash, for example {FAST_METHOD}" if method.proposes else ""


def _check_precision(options: Options, method: Fingerprint) -> None:
    if options.radius is not None:
        raise UsageError("precision chooses the radius: give one of them, not both", field="precision")
    if not method.metric:
        what = f"precision chooses a radius, and {options.matching_method} has none: leave it out"
        raise UsageError(what + _or_hash(method), field="precision")
