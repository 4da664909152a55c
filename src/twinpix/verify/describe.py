"""Name the relation of two copies: each edit from one to the other, with its numbers."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from twinpix.evidence.added_border import is_added_border
from twinpix.evidence.alignment.affine import (
    Affine,
    Decomposition,
    decompose,
    inverse,
    overlap,
    rescale,
    transform_points,
)
from twinpix.evidence.edit_features import EditFeatures
from twinpix.evidence.pyramid import Pyramid
from twinpix.model import Relation
from twinpix.thresholds import DESCRIBE

_EPSILON = 1e-6  # divisor above 0
_OF_SIZE = frozenset({"edited: blurred", "edited: noisy", "edited: smoothed", "edited: sharpened"})


class Part(NamedTuple):
    """One edit: its relation, and its text for people."""

    relation: Relation
    detail: str
    borders: tuple[bool, bool] = (False, False)  # whether the first and the second image has the border of this edit


class Description(NamedTuple):
    """The relation of a pair, and the list of edits from a to b, and from b to a."""

    relation: Relation
    detail: str
    back: str
    borders: tuple[bool, bool]  # whether a and b has a border that the other one lacks


def describe_edit(a: Pyramid, b: Pyramid, a_to_b: Affine, differs: EditFeatures) -> Description:
    """Name how `b` differs from `a`; `a_to_b` is the transform of its pixels."""
    parts = _parts(a, b, a_to_b, differs)
    back = _parts(b, a, inverse(a_to_b), differs.swap_images(a_to_b, a, b))
    if _is_only_resized(back):
        parts = _without_sharpness(parts)
    elif _is_only_resized(parts):
        back = _without_sharpness(back)
    relation: Relation = parts[0].relation if parts else "re-encoded"
    detail, reverse = (", ".join(part.detail for part in each) for each in (parts, back))
    borders = any(part.borders[0] for part in parts), any(part.borders[1] for part in parts)
    return Description(relation, detail, reverse, borders)


def _is_only_resized(parts: Sequence[Part]) -> bool:
    return bool(parts) and all(part.relation == "resized" for part in parts)


def _without_sharpness(parts: list[Part]) -> list[Part]:
    """Drop sharpness and grain if the image was only resized: a change of size changes both."""
    rest = [part for part in parts if part.detail not in _OF_SIZE]
    return rest if _is_only_resized(rest) else parts


def _parts(a: Pyramid, b: Pyramid, a_to_b: Affine, differs: EditFeatures) -> list[Part]:
    full = rescale(a_to_b, (a.size, (a.width, a.height)), (b.size, (b.width, b.height)))
    change = decompose(full)
    parts = [
        *_name_rotation(change),
        *_name_crop(a, b, a_to_b, full),
        *_name_changes(differs, change, b),
        *_name_resize(a, b, change),
    ]
    if differs.hues >= DESCRIBE.other_hue_area and all(part.relation == "resized" for part in parts):
        return [Part("recoloured", "recoloured"), *parts]  # a region that was edited has colours of its own
    return parts


def _name_rotation(change: Decomposition) -> list[Part]:
    angle = change.angle
    out = []
    if change.mirrored:
        upside_down = abs(abs(angle) - 180) < DESCRIBE.min_angle
        out.append(Part("mirrored", "mirrored top to bottom" if upside_down else "mirrored"))
        if upside_down:
            return out
    if abs(angle) >= DESCRIBE.min_angle:
        quarter = round(angle / 90) * 90
        shown = f"{quarter}" if abs(angle - quarter) < DESCRIBE.min_angle else f"{angle:.1f}".removesuffix(".0")
        out.append(Part("rotated", f"rotated {'180' if shown == '-180' else shown}°"))
    return out


def _name_crop(a: Pyramid, b: Pyramid, a_to_b: Affine, full: Affine) -> list[Part]:
    """Name a crop or a border, of either image."""
    of_a, of_b = overlap(a_to_b, a.size, b.size)
    out = []
    if of_a < DESCRIBE.whole:
        relation: Relation = "padded" if is_added_border(a, b, a_to_b) else "cropped"
        x, y = _corner(inverse(full), (b.width, b.height), (a.width, a.height))
        what = "border removed" if relation == "padded" else f"cropped {of_a:.0%} at ({x}, {y})"
        out.append(Part(relation, what, borders=(relation == "padded", False)))
    if of_b < DESCRIBE.whole:
        relation = "padded" if is_added_border(b, a, inverse(a_to_b)) else "cropped"
        x, y = _corner(full, (a.width, a.height), (b.width, b.height))
        what = (
            f"padded to {1 / max(of_b, _EPSILON):.0%}"
            if relation == "padded"
            else f"shows more: {of_b:.0%} at ({x}, {y})"
        )
        out.append(Part(relation, what, borders=(False, relation == "padded")))
    rotation = abs(decompose(full).angle) % 90
    if out and min(rotation, 90 - rotation) >= DESCRIBE.min_angle:
        return out if min(of_a, of_b) < DESCRIBE.rotated_corners else []  # a rotation cuts off corners, or fills them
    return out


def _corner(a_to_b: Affine, inner: tuple[int, int], outer: tuple[int, int]) -> tuple[int, int]:
    """Return the top left corner of the inner image in pixels of the outer one."""
    ends = transform_points(a_to_b, np.array([[0.0, 0], [inner[0] - 1, inner[1] - 1]]))
    x, y = ends.min(axis=0)
    return max(0, min(outer[0], round(float(x)))), max(0, min(outer[1], round(float(y))))


def _name_changes(differs: EditFeatures, change: Decomposition, b: Pyramid) -> list[Part]:
    out = []
    as_large = max(abs(change.across - 1), abs(change.down - 1), abs(change.angle) / 90) < DESCRIBE.resized
    if differs.outside > DESCRIBE.spot and differs.spread < DESCRIBE.everywhere:
        left, top, right, bottom = differs.box
        x, y = left * b.width, top * b.height
        w, h = max(1.0, (right - left) * b.width), max(1.0, (bottom - top) * b.height)
        out.append(Part("edited", f"edited: region {w:.0f}×{h:.0f} at ({x:.0f}, {y:.0f})"))
    elif differs.outside > DESCRIBE.all_over:
        out.append(Part("edited", "edited everywhere"))
    if differs.steepness < DESCRIBE.blurred:
        out.append(Part("edited", "edited: blurred"))
    elif abs(differs.grain) > (DESCRIBE.grain if as_large else DESCRIBE.grain_resized):
        out.append(Part("edited", "edited: noisy" if differs.grain > 0 else "edited: smoothed"))
    elif differs.steepness > (DESCRIBE.sharpened if as_large else DESCRIBE.sharpened_resized):
        out.append(Part("edited", "edited: sharpened"))
    elif differs.bent:
        out.append(Part("edited", "edited: bent"))
    if differs.inverted:
        out.append(Part("recoloured", "inverted"))
    elif differs.is_recoloured:
        what = "recoloured" if differs.colour > DESCRIBE.colour else "lightened or darkened"
        out.append(Part("recoloured", what))
    return out


def _name_resize(a: Pyramid, b: Pyramid, change: Decomposition) -> list[Part]:
    if (a.width, a.height) == (b.width, b.height) or not (change.across and change.down):
        return []
    across, down = change.across, change.down
    if max(abs(across - 1), abs(down - 1)) <= DESCRIBE.same_scale:
        return []
    if abs(across / down - 1) > DESCRIBE.same_aspect:
        return [Part("resized", f"resized {across:.3g} × {down:.3g}")]
    return [Part("resized", f"resized {(across * down) ** 0.5:.3g}")]
