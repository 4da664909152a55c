"""Bundles of files that are moved together: an image, the other file of its RAW and JPEG pair, companion files.

A companion file is moved only with all images that it may belong to, and only if the keeper has a companion file of the
same bytes. Else its bytes would be lost, or separated from their image: then the image is kept too.
"""

import os
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Literal

from twinpix.act import filesystem
from twinpix.act.planning.targets import Item
from twinpix.act.sidecars.folders import Folders
from twinpix.act.sidecars.kinds import key, stem_of
from twinpix.act.steps import Facts, Kept, Skipped
from twinpix.errors import SkipKind, StepError
from twinpix.text import printable

Sidecars = Literal["keep", "same", "all"]


class Files:
    """The facts and digests of files; another class answers for objects of stores."""

    def facts(self, path: str) -> Facts:
        """Return the facts of a file; raises `StepError`."""
        return filesystem.facts_at(path)

    def digest(self, path: str) -> str:
        """Return the digest of a file; raises `StepError`."""
        return filesystem.digest_of(path, filesystem.facts_at(path))

    def names(self, path: str) -> Iterable[str]:
        """Return the paths of a file: with that behind a symbolic link."""
        return dict.fromkeys((path, os.path.realpath(path)))

    def is_plain(self, path: str) -> bool:
        """True for a regular file that is reached by no symbolic link."""
        return os.path.isfile(path) and not os.path.islink(path)


_KEPT_WITH_COMPANION = "stays with its companion file"


@dataclass
class Bundler:
    """Bundles the images to move; afterwards `skipped` has those that are kept because of a companion file."""

    items: dict[str, Item]  # images to move, by path
    kept: Mapping[int, Sequence[str]]  # kept images, by group
    folders: Folders
    may_go: Callable[[str], bool]  # whether a companion file is in the scanned folders
    half: Callable[[str, Item, Collection[str]], Item | None]  # returns the other file of a pair
    everything: bool  # companion files are moved whatever their bytes are
    skipped: list[Skipped] = field(default_factory=list)
    kept_companions: dict[str, Kept] = field(
        default_factory=dict
    )  # companions of the keeper with the bytes of others that are moved
    files: Files = field(default_factory=Files)

    def __post_init__(self) -> None:
        self._of = cache(self.folders.of)
        self._images: dict[str, Item] = {}  # all that are moved, with their pairs
        self._joined: dict[str, str] = {}  # a union-find forest over paths
        self._relied = set[str]()  # images for which others are moved
        self._digests: dict[str, str] = {}
        self._of_kept: dict[int, list[str]] = {}  # companion files of the keeper, by group

    def bundles(self) -> Iterator[list[Item]]:
        """Return the images to move, in their order, each with its files."""
        masks = self._separate_masks()
        for item in self.items.values():
            self._take(item)
        takers = self._companions()
        for companion, images in takers.items():
            for image in (companion, *images):
                self._join(image, images[0])
        bundles: dict[str, list[str]] = defaultdict(list)
        for path in (*self._images, *takers):
            bundles[self._root(path)].append(path)
        self._relied = {image.keeper for image in self._images.values()}
        gone = set[str]()
        for paths in bundles.values():
            going = [self._images[path] for path in paths if path in self._images]
            try:
                companions = [self._companion(path, takers[path], takers) for path in paths if path in takers]
            except StepError as error:
                self.skipped += [
                    Skipped(image.path, str(error), image.group, kind=error.kind)
                    for image in going
                    if image.path in self.items
                ]
                continue
            gone.update(paths)
            yield [*going, *companions]
        self.skipped += [
            Skipped(mask.path, f"belongs to {printable(owners[0])}, which stays", mask.group, kind=SkipKind.COMPANION)
            for mask, owners in masks
            if mask.path not in gone
        ]

    def _separate_masks(self) -> list[tuple[Item, list[str]]]:
        """Return masks, thumbnails and the like, which are not moved by themselves, each with its images."""
        owned = [(item, owners) for item in self.items.values() if (owners := self.folders.owners_of_mask(item.path))]
        for item, _ in owned:
            del self.items[item.path]
        return owned

    def _take(self, item: Item) -> None:
        """Add an image and the other file of its pair, or record why it is kept."""
        try:
            others = self._of(item.path).pair
            halves = [half for other in others if (half := self.half(other, item, self._images))]
        except StepError as error:
            self.skipped.append(Skipped(item.path, str(error), item.group, kind=error.kind))
            return
        for image in (item, *halves):
            self._images.setdefault(image.path, image)
            self._join(image.path, item.path)

    def _companions(self) -> dict[str, list[str]]:
        """Return the companion files that belong only to files that are moved, each with its images."""
        owners: dict[str, set[str]] = defaultdict(set)
        takers: dict[str, list[str]] = defaultdict(list)
        for image in self._images:
            for companion, others in self._of(image).sidecars.items():
                owners[companion].update(others)
                takers[companion].append(image)
        going = {companion for companion in takers if companion not in self._images and self.may_go(companion)}
        staying = going
        while staying:
            gone = going | self._images.keys()
            staying = {companion for companion in going if not owners[companion] <= gone}
            going -= staying
        return {companion: images for companion, images in takers.items() if companion in going}

    def _companion(self, companion: str, images: Sequence[str], going: Collection[str]) -> Item:
        """Return a companion file to move; raises `StepError` if the keeper has none with its bytes."""
        first = self._images[images[0]]
        name = printable(os.path.basename(companion))
        if companion in self._relied:
            raise StepError(
                f"{_KEPT_WITH_COMPANION} {name}, which other images are duplicates of", SkipKind.WITH_COMPANION
            )
        facts = self.files.facts(companion)
        others = [
            other
            for image in images
            for other in self._beside_kept(self._images[image])
            if _suffix(other) == _suffix(companion) and other not in going
        ]
        for other in dict.fromkeys(others):
            there = self.files.facts(other)
            if there.size == facts.size and there[:2] != facts[:2] and self._digest(companion) == self._digest(other):
                if other not in self.kept_companions:
                    self.kept_companions[other] = Kept(
                        first.group, other, "companion file", there, self._digest(other), True
                    )
                return first._replace(
                    path=companion,
                    match=None,
                    companion=True,
                    facts=facts,
                    digest=self._digest(companion),
                    keeper=other,
                )
        if not self.everything:
            has = f"{printable(others[0])} has other bytes" if others else "the keeper has none of that kind"
            raise StepError(f"{_KEPT_WITH_COMPANION} {name}: {has}", SkipKind.WITH_COMPANION)
        return first._replace(path=companion, match=None, companion=True, facts=facts, digest=self._digest(companion))

    def _beside_kept(self, item: Item) -> list[str]:
        """Return the companion files of the keeper of an image's group."""
        if item.group not in self._of_kept:
            found = list[str]()
            for kept in self.kept.get(item.group, ()):
                for path in self.files.names(kept):
                    found += filter(self.files.is_plain, self._of(path).sidecars)
            self._of_kept[item.group] = found
        return self._of_kept[item.group]

    def _digest(self, path: str) -> str:
        if path not in self._digests:
            self._digests[path] = self.files.digest(path)
        return self._digests[path]

    def _root(self, path: str) -> str:
        while (above := self._joined.get(path, path)) != path:
            self._joined[path] = self._joined.get(above, above)
            path = above
        return path

    def _join(self, a: str, b: str) -> None:
        self._joined[self._root(a)] = self._root(b)


def _suffix(path: str) -> str:
    name = key(os.path.basename(path))
    return name[len(stem_of(name)) :]
