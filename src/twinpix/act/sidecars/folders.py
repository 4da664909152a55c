"""The files of an image: its companion files, and the other file of a RAW and JPEG pair."""

import itertools
import os
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import cache
from typing import NamedTuple

from twinpix.act.sidecars import kinds as kinds
from twinpix.act.sidecars.kinds import key, stem_of
from twinpix.act.sidecars.listing import Listing, listing_of, names_in
from twinpix.formats import claims_raw

_LEVELS = 2  # parent folders in which a folder of annotations is searched
_CAPTIONED = 2  # smallest number of images in a folder of images with captions


class Companions(NamedTuple):
    """The files that belong to an image, absolute and sorted."""

    sidecars: dict[str, list[str]]  # companion files, each with the other files that it may belong to
    pair: list[str]  # images of the same stem, some of them RAW and some not


class Folders:
    """Finds companion files; each folder is listed once, by `listing`, and `names` reads the text of a data file.

    With `by_stem`, data files (`.txt`, `.json` and others) belong to the image of the same stem beside them, as in
    tools for data sets; else only if their folder, name or text shows it.
    """

    def __init__(
        self,
        *,
        by_stem: bool = False,
        listing: Callable[[str], Listing] = listing_of,
        names: Callable[[str], frozenset[str]] = names_in,
        is_folder: Callable[[str], bool] = os.path.isdir,
    ) -> None:
        self._by_stem, self._is_folder = by_stem, is_folder
        self._listing, self._names = cache(listing), cache(names)
        self._places, self._owners = cache(self._find_places), cache(self._find_owners)
        self._captioned = cache(self._find_captioned)

    def of(self, image: str) -> Companions:
        """Return the files of an image."""
        folder, name = _split(image)
        here, places = self._listing(folder), self._places(folder)
        known = key(name)
        stem = stem_of(known)
        twins = here.images.get(stem, ())
        if not (places or here.has_companions or len(twins) > 1):
            return _NO_COMPANIONS
        found: dict[str, list[str]] = {}
        is_image = kinds.is_image(known[len(stem) :])
        for place in (folder, *places):
            for side in self._sides(place, known, stem, beside=place == folder):
                claiming = self._possible_owners(place, side)
                if image in claiming or not is_image:
                    found[place + side] = sorted(claiming - {image})
        for side in list(found):
            found |= self._of_video(side, found)
        raw = claims_raw(name)
        pair = sorted(folder + twin for twin in twins if twin != name and claims_raw(twin) != raw)
        return Companions(dict(sorted(found.items())), pair)

    def owners_of_mask(self, path: str) -> list[str]:
        """Return the images of an image in a folder of annotations (masks, thumbnails, depth), or of a .THM."""
        folder, name = _split(path)
        stem = stem_of(key(name))
        if key(name)[len(stem) :] in kinds.PICTURES:
            return sorted(self._possible_owners(folder, name) - {path})
        if _annotations_in(folder):
            owners = self._owners(folder)
            found = {*owners.get(stem, ()), *owners.get(kinds.mask_of(stem, beside=False), ())}
            return sorted(owner for owner in found if _split(owner)[0] != folder)
        whole = kinds.mask_of(stem, beside=True)
        return sorted(folder + image for image in self._listing(folder).images.get(whole, ())) if whole else []

    # -- from an image to its companion files

    def _of_video(self, side: str, found: Collection[str]) -> dict[str, list[str]]:
        """Return the companion files of an image's video: IMG_1.MOV.xmp."""
        place, name = _split(side)
        known = key(name)
        if known[len(stem_of(known)) :] not in kinds.VIDEOS:
            return {}
        listing = self._listing(place)
        names = [*listing.sidecars.get(known, ()), *listing.data.get(known, ())]
        return {place + name: sorted(self._possible_owners(place, name)) for name in names if place + name not in found}

    def _sides(self, place: str, name: str, stem: str, *, beside: bool) -> Iterator[str]:
        """Return the names of the companion files in a folder of an image with this name and stem."""
        listing = self._listing(place)
        companions = [*listing.sidecars.get(stem, ()), *(listing.sidecars.get(name, ()) if name != stem else ())]
        data = [*listing.data.get(name, ())]
        for other in kinds.names_for_data(name) if listing.data else ():
            data += listing.data.get(other, ())
        loose = listing.data.get(stem, ()) if name != stem else ()
        if not beside:
            images = [*listing.images.get(stem, ()), *listing.masks.get(stem, ())]
        else:
            images = [mask for mask in listing.masks.get(stem, ()) if kinds.mask_of(stem_of(key(mask)), beside=True)]
            loose = [side for side in loose if self._is_of_stem(place, side, name)]
        yield from dict.fromkeys((*companions, *data, *loose, *images))

    def _is_of_stem(self, folder: str, side: str, name: str) -> bool:
        """True if a data file beside an image of its stem belongs to it: by its text, or as a caption."""
        suffix = os.path.splitext(side)[1].lower()
        if self._by_stem or (suffix == kinds.CAPTION and self._captioned(folder)):
            return True
        return suffix in kinds.NAMING and name in self._names(folder + side)

    def _find_captioned(self, folder: str) -> bool:
        """True for a folder in which more than half of the images have a text of their stem, as in training sets."""
        listing = self._listing(folder)
        texts = {stem for stem, names in listing.data.items() if any(key(n).endswith(kinds.CAPTION) for n in names)}
        with_text = sum(stem in texts for stem in listing.images)
        return len(listing.images) >= _CAPTIONED and 2 * with_text > len(listing.images)

    def _find_places(self, folder: str) -> list[str]:
        """Return further folders in which companion files of an image may be, each with a final separator."""
        parts = folder.rstrip(os.sep).split(os.sep)
        found: list[str] = []
        for level in range(min(_LEVELS + 1, len(parts))):
            above = os.sep.join(parts[: len(parts) - level]) + os.sep
            rest = parts[len(parts) - level :]
            for name in self._listing(above).annotations:
                nested = (os.path.join(name, other) for other in self._listing(above + name + os.sep).annotations)
                for place, way in itertools.product((name, *nested), (rest, rest[1:]) if rest else (rest,)):
                    found.append(os.path.join(above, place, *way, ""))
        for pattern in kinds.FOLDERS_OF_PROGRAMS:
            found += self._find_matching(folder, pattern.split("/"))
        return [place for place in dict.fromkeys(found) if place != folder and self._is_folder(place)]

    def _find_matching(self, folder: str, patterns: list[str]) -> list[str]:
        """Return the folders below one whose names match patterns, one per level."""
        found = [folder]
        for pattern in patterns:
            found = [
                place + name + os.sep
                for place in found
                for name in self._listing(place).folders
                if re.fullmatch(pattern, key(name))
            ]
        return found

    # -- from a companion file to its images

    def _possible_owners(self, place: str, side: str) -> set[str]:
        """Return the files that a companion file may belong to."""
        name = key(side)
        suffix = name[len(stem_of(name)) :]
        owners = self._owners(place)
        if kinds.is_image(suffix):
            return set(self.owners_of_mask(place + side))
        found: set[str] = set()
        if suffix in kinds.DATA:
            found.update(owners.get(stem_of(name), ()))
            for whole in kinds.names_in_data(name):
                found.update(owners.get(whole, ()))
        else:
            for base in _most_precise(kinds.bases(name), owners):
                found.update(owners.get(base, ()))
        if suffix not in kinds.OWNED_BY_IMAGES:
            found.update(place + other for other in self._listing(place).others.get(stem_of(name), ()))
        return found

    def _find_owners(self, place: str) -> dict[str, list[str]]:
        """Return the images, by stem and by name, that the files in a folder may belong to."""
        found: dict[str, list[str]] = defaultdict(list)
        for folder in dict.fromkeys((place, *self._other_folders(place))):
            for stem, names in self._listing(folder).images.items():
                for name in names:
                    path, known = folder + name, key(name)
                    for each in {stem, known, *kinds.names_for_data(known)}:
                        found[each].append(path)
        return dict(found)

    def _other_folders(self, place: str) -> Iterable[str]:
        """Return the other folders of images that the files in a folder may belong to."""
        parts = place.rstrip(os.sep).split(os.sep)
        for pattern in kinds.FOLDERS_OF_PROGRAMS:
            levels = pattern.count("/") + 1
            if re.fullmatch(pattern, key("/".join(parts[-levels:]))):
                return [os.sep.join(parts[:-levels]) + os.sep]
        found = [folder for at in _annotations_in(place) for folder in self._image_folders(parts, at)]
        return dict.fromkeys(found)

    def _image_folders(self, parts: list[str], at: int) -> Iterator[str]:
        """Return the parent of a folder of annotations, those in it, and the path of the folder within."""
        above = os.sep.join(parts[:at]) + os.sep
        rest = [part for part in parts[at + 1 :] if not kinds.is_annotations(key(part))]
        listing = self._listing(above)
        for name in ("", *(folder for folder in listing.folders if folder not in listing.annotations)):
            yield os.path.join(above, name, *rest, "")


_NO_COMPANIONS = Companions({}, [])


def _most_precise(bases: Iterator[str], owners: dict[str, list[str]]) -> Iterator[str]:
    """Return the plainest base if an image has that name, else all: photo_01.jpg.xmp is of photo_01.jpg."""
    plain = next(bases)
    yield plain
    if plain not in owners or stem_of(plain) == plain:
        yield from bases


@cache
def _annotations_in(folder: str) -> list[int]:
    """Return the indices, in the parts of a path, of the nearest folder of annotations and those directly above."""
    parts = [kinds.is_annotations(key(part)) for part in folder.rstrip(os.sep).split(os.sep)]
    found: list[int] = []
    for at in range(len(parts) - 1, max(0, len(parts) - _LEVELS - 3), -1):
        if parts[at]:
            found.append(at)
        elif found:
            break
    return found


def _split(path: str) -> tuple[str, str]:
    """Return a path's folder, with a final separator, and its name."""
    at = path.rfind(os.sep) + 1
    return path[:at], path[at:]
