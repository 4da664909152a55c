"""Compare the print of two registered pages: is there different print in one place?"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from twinpix.evidence.alignment.registration import FinePair, Normaliser
from twinpix.evidence.light.photometric import fit_gain
from twinpix.evidence.masks import Floats, Mask, dilate, erode, sample_pixels, window, window_mean
from twinpix.imaging.opencv import opencv
from twinpix.thresholds import INK

_INK_WINDOW = 9  # pixels a side in which ink is compared: about a letter of small print
_BLURS = (0.5, 0.7, 1.0, 1.4, 2.0, 3.0)  # pixels of Gaussian blur that are tried
_JOINED = 15  # pixels: differing ink within this distance is one place
_FIT_PIXELS, _ITERATIONS, _SLACK = 20_000, 3, 1  # pixels, iterations and slack of the fit of gain and bias


class InkComparison(NamedTuple):
    """Two registered images, locally normalised and equally sharp."""

    a: Floats
    b: Floats
    known: Mask
    energy: Floats  # sum of both local variances
    lighter: Floats  # local mean square of where a is lighter
    darker: Floats  # the same of where it is darker

    @property
    def clash(self) -> Floats:
        """For each pixel, how much each image has ink that the other lacks, from 0 to about 1.

        If ink was only added or removed, one image is darker and nowhere lighter. If other ink replaced it, the image
        is both within one window.
        """
        both = 2 * np.minimum(self.lighter, self.darker) / (self.energy + INK.softening)
        return np.asarray(np.where(self.energy > INK.min_energy, both, 0), dtype=np.float32)

    @property
    def is_rough(self) -> bool:
        """True if most ink differs: a mosaic, or a smeared page, whose letters cannot be compared."""
        ink_mask = self.energy > INK.min_energy
        return bool(ink_mask.any() and np.median(self.clash[ink_mask]) > INK.max_roughness)

    @property
    def own(self) -> tuple[Mask, Mask]:
        """Mask where only the first image has ink, and where only the second has."""
        of_a, of_b = _local_mean(self.a * self.a), _local_mean(self.b * self.b)
        alone = [(x > INK.own_energy) & (y < INK.empty_energy) & self.known for x, y in ((of_a, of_b), (of_b, of_a))]
        return alone[0], alone[1]


def compare_ink(pair: FinePair) -> InkComparison:
    """Compare two registered images."""
    a, b, known, _ = pair
    known = erode(known, 9, beyond=False)
    weight = known.astype(np.float32)
    normalise = Normaliser(weight)
    first, second = normalise(a), normalise(b)
    ink_mask = known & (np.maximum(_local_mean(first * first), _local_mean(second * second)) > INK.min_energy)
    first, second = _match_sharpness(a, b, first, second, normalise, ink_mask)
    off = first - second
    energy = _local_mean(first * first + second * second)
    lighter, darker = (_local_mean(np.maximum(each, 0) ** 2) for each in (off, -off))
    grain = _grain(lighter + darker, energy, known)
    lighter, darker = ((each - grain).clip(0) * weight for each in (lighter, darker))
    return InkComparison(first, second, known, energy, lighter, darker)


def _local_mean(values: Floats) -> Floats:
    return window_mean(values, _INK_WINDOW)


def _grain(mean_square: Floats, energy: Floats, known: Mask) -> np.float32:
    """Estimate the noise in `mean_square` from the flattest part of the image."""
    if not known.any():
        return np.float32(0)
    plain = known & (energy <= np.quantile(energy[known], INK.flattest))
    return np.float32(np.median(mean_square[plain]) / 2)


def _match_sharpness(
    a: Floats, b: Floats, first: Floats, second: Floats, normalise: Normaliser, ink_mask: Mask
) -> tuple[Floats, Floats]:
    """Blur the sharper of two normalised images until it matches the other."""
    cv2 = opencv()
    if not ink_mask.any():
        return first, second
    steep = [float(np.abs(cv2.Laplacian(each, cv2.CV_32F)[ink_mask]).mean()) for each in (first, second)]
    of_a = steep[0] > steep[1]
    sharp, soft = (first, second) if of_a else (second, first)
    least = _ink_difference(sharp, soft, ink_mask)
    for sigma in _BLURS:
        made = normalise(cv2.GaussianBlur(a if of_a else b, (0, 0), sigma))
        now = _ink_difference(made, soft, ink_mask)
        if now >= INK.blur_gain * least:
            break
        sharp, least = made, now
    return (sharp, soft) if of_a else (soft, sharp)


def _ink_difference(a: Floats, b: Floats, ink_mask: Mask) -> float:
    """Return the mean absolute difference in ink, clipped at 1 against outliers."""
    return float(np.minimum(np.abs(a - b)[ink_mask], 1).mean())


# -- places where ink differs -----------------------------------------------------------------------------


class InkDifference(NamedTuple):
    """Where ink differs, in the pixels of the comparison."""

    box: tuple[int, int, int, int]  # left, top, width, height
    clash: bool  # each image has ink there that the other lacks
    strongest: float  # largest clash
    own: tuple[bool, bool]  # only the first image has ink there; only the second has
    overlay_mask: bool  # too large or too solid for print: an overlay
    is_print: bool  # no higher than print


def ink_differences(pair: FinePair, comparison: InkComparison) -> list[InkDifference]:
    """List the places where ink differs between two registered images."""
    cv2 = opencv()
    clashes, own = comparison.clash, comparison.own
    clash = clashes > INK.clash
    if not clash.any() and not (own[0].any() and own[1].any()):
        return []
    off = _match_gain(pair.a, pair.b, comparison) - pair.b
    side = round(max(min(pair.a.shape), INK.strip * max(pair.a.shape)))
    # Where registration is less exact, edges differ without being other edges.
    least = np.where(comparison.energy > INK.min_energy, INK.energy_difference * comparison.energy, 0)
    signs = [
        (off > INK.level_difference) & (comparison.lighter >= least) & comparison.known,
        (off < -INK.level_difference) & (comparison.darker >= least) & comparison.known,
    ]
    joined = dilate(clash | own[0] | own[1], _JOINED).view(np.uint8)
    count, labels, facts, _ = cv2.connectedComponentsWithStats(joined)
    strongest = np.zeros(count, np.float32)
    np.maximum.at(strongest, labels[clash], clashes[clash])
    clashing = (np.bincount(labels[clash], minlength=count) >= INK.min_area) & (strongest > INK.strong_clash)
    alone = [np.bincount(labels[each], minlength=count) >= INK.min_area for each in own]
    out = []
    for at in np.flatnonzero(clashing | alone[0] | alone[1]).tolist():
        left, top, width, height = facts[at, :4].tolist()
        part = np.s_[top : top + height, left : left + width]
        over = _is_laid_over([sign[part] for sign in signs], side)
        both = bool(alone[0][at]), bool(alone[1][at])
        box, small = (left, top, width, height), height <= INK.print_height * side
        out.append(InkDifference(box, bool(clashing[at]), float(strongest[at]), both, over, small))
    return out


def _match_gain(a: Floats, b: Floats, comparison: InkComparison) -> Floats:
    """Give `a` the gain and bias of `b`, fitted robustly to ink that does not differ."""
    same = comparison.known & (comparison.energy > INK.min_energy) & (comparison.clash < INK.clash)
    if same.sum() < INK.min_area:
        return a
    at = sample_pixels(same, _FIT_PIXELS)
    x, y = (grey.ravel()[at].astype(np.float64) for grey in (a, b))
    fitted = fit_gain(x, y, _ITERATIONS, _SLACK)
    return a if fitted is None else np.asarray(np.float32(fitted[0]) * a + np.float32(fitted[1]), dtype=np.float32)


def _is_laid_over(signs: list[Mask], side: int) -> bool:
    """True for an overlay: an outline larger than print that encloses what it covers, or a solid area.

    `signs` mask where one image is lighter, and where it is darker.
    """
    cv2 = opencv()
    both = signs[0] | signs[1]
    if not both.any():
        return False
    width = max(3, round(INK.solid_width * side))
    for sign, other in (signs, signs[::-1]):
        if not sign.any():
            continue
        edge = np.pad(sign.astype(np.uint8), 9)
        gaps = (3, 2 * round(INK.outline_gap * side) + 1)
        whole, edge = (cv2.morphologyEx(edge, cv2.MORPH_CLOSE, window(gap)) for gap in gaps)
        solid = cv2.morphologyEx(whole, cv2.MORPH_OPEN, window(width))[9:-9, 9:-9]
        if (solid.astype(bool) & both).sum() >= INK.solid_share * both.sum():
            return True
        outlines, _ = cv2.findContours(edge, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        large = [line for line in outlines if _is_large(line, side)]
        if not large:
            continue
        within = cv2.drawContours(np.zeros_like(edge), large, -1, 1, cv2.FILLED)
        within = dilate(within, 7)[9:-9, 9:-9]
        covered = (other & within).sum() >= INK.enclosed * other.sum() or other.sum() <= INK.minor_sign * sign.sum()
        if covered and (sign & within).sum() >= INK.enclosed * sign.sum():
            return True
    return False


def _is_large(outline: NDArray[np.int32], side: int) -> bool:
    width, height = opencv().boundingRect(outline)[2:]
    return bool(max(width, height) >= INK.overlay_width * side and min(width, height) >= INK.overlay_height * side)


def contradict(found: list[InkDifference]) -> bool:
    """True if two pages differ in their print: different print in one place, or print on each that the other lacks."""
    found = [place for place in found if not place.overlay_mask]
    small = [place for place in found if place.is_print]
    both_have_own = any(place.own[0] for place in small) and any(place.own[1] for place in small)
    return both_have_own or any(place.clash for place in found)
