"""The dialogue of `--delete`: what stays of each set, and that the rest is deleted."""

import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import NamedTuple

from twinpix.compat.imgdupes import saying, showing
from twinpix.compat.imgdupes.grouping import Set
from twinpix.compat.imgdupes.hashing import Image
from twinpix.compat.imgdupes.options import Options
from twinpix.text import printable

Delete = Callable[[Sequence[Image], Sequence[Image]], Mapping[str, str]]

_ALL, _NONE = frozenset({"all", "a"}), frozenset({"none", "no", "n"})
_HELP = "Please respond with comma-separated file numbers or all (a) or none (n).\n"
_SURE = "Delete every image of this set, the last one too? yes; anything else keeps the first: "


class Closed(Exception):  # noqa: N818 - the end of the answers is no error
    """Nobody answers any more."""


class Preserver(NamedTuple):
    """Asks for each set what stays, and has the rest deleted by `delete`."""

    options: Options
    delete: Delete

    def walk(self, sets: Sequence[Set]) -> Iterator[list[str]]:
        """Go through the sets; yields what was deleted of each, once it is gone."""
        answered = True
        for number, images in enumerate(sets, start=1):
            self._present(images, number, len(sets))
            kept: Collection[int] = range(len(images))
            if self.options.noprompt:
                kept = _first(images)
            elif answered:
                try:
                    kept = _asked(len(images))
                except Closed:
                    answered = False
                    sys.stdout.write("\n")
            sys.stdout.write("\n")
            yield self._carry_out(images, kept)

    def _present(self, images: Set, number: int, total: int) -> None:
        showing.show([image.path for image in images], self.options)
        folders = list(dict.fromkeys(str(PurePath(image.path).parent) for image in images))
        if len(folders) > 1 and not self.options.no_subdir_warning:
            saying.warn("WARNING! Found similar images in different subdirectories.")
            saying.warn("\n".join(map(printable, folders)))
        for place, image in enumerate(images, start=1):
            sys.stdout.write(f"{_described(place, image)}\n")
        sys.stdout.write(f"\nSet {number} of {total}, ")

    def _carry_out(self, images: Set, kept: Collection[int]) -> list[str]:
        stays = [image for place, image in enumerate(images) if place in kept]
        goes = [image for place, image in enumerate(images) if place not in kept]
        left: Mapping[str, str] = {}
        if goes and not self.options.dry_run:
            sys.stdout.flush()
            left = self.delete(stays, goes)
        gone = [image.path for image in goes if image.path not in left]
        for image in images:
            sys.stdout.write(f"   [{'-' if image.path in gone else '+'}] {printable(image.path)}\n")
        sys.stdout.write("\n")
        saying.name_files("these files are left as they are", [f"{path}: {why}" for path, why in left.items()])
        return [] if self.options.dry_run else gone


def _described(place: int, image: Image) -> str:
    number, pixels = f"[{place}]", f"{image.width}x{image.height}"
    line = f"{image.bytes / 1024:>14.2f} kbyte {pixels:>9} {printable(image.path)}"
    return number + line[len(number) :]


def _first(images: Set) -> set[int]:
    """What stays when nobody is asked: the first image and, should part of it be missing, the first whole one."""
    whole = next((place for place, image in enumerate(images) if not image.damaged), 0)
    return {0, whole} if images[0].damaged else {0}


def _asked(count: int) -> Collection[int]:
    """What stays of a set of `count` images, from 0; raises `Closed` when there is no answer."""
    while True:
        answer = _answer(f"preserve files [1 - {count}, all, none]: ")
        if answer in _ALL:
            return range(count)
        if answer in _NONE:
            return set() if _answer(_SURE) == "yes" else {0}
        kept = _numbers(answer)
        if kept and kept <= set(range(count)):
            return kept
        sys.stdout.write(_HELP)


def _numbers(answer: str) -> set[int]:
    """The places, from 0, that an answer names from 1; none when it holds anything but numbers."""
    try:
        return {int(part) - 1 for part in answer.split(",")}
    except ValueError:
        return set()


def _answer(prompt: str) -> str:
    sys.stdout.write(prompt)
    sys.stdout.flush()
    line = sys.stdin.buffer.readline()
    if not line:
        raise Closed
    return line.decode(errors="replace").strip().lower()
