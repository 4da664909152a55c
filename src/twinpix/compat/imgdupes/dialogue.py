"""The dialogue of `--delete`: ask which images of each set to keep, and delete the others."""

import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import NamedTuple

from twinpix.compat.imgdupes import display, messages
from twinpix.compat.imgdupes.grouping import Set
from twinpix.compat.imgdupes.hashing import Image
from twinpix.compat.imgdupes.options import Options
from twinpix.text import printable

Delete = Callable[[Sequence[Image], Sequence[Image]], Mapping[str, str]]

_ALL, _NONE = frozenset({"all", "a"}), frozenset({"none", "no", "n"})
_HELP = "Please respond with comma-separated file numbers or all (a) or none (n).\n"
_SURE = "Delete every image of this set, the last one too? yes; anything else keeps the first: "


class Closed(Exception):  # noqa: N818 - the end of input is not an error
    """stdin has reached its end: no more answers follow."""


class Dialogue(NamedTuple):
    """Asks for each set which images to keep, and calls `delete` for the others."""

    options: Options
    delete: Delete

    def walk(self, sets: Sequence[Set]) -> Iterator[list[str]]:
        """Ask about each set in turn; yield the paths that were deleted of it."""
        answered = True
        for number, images in enumerate(sets, start=1):
            self._present(images, number, len(sets))
            kept: Collection[int] = range(len(images))
            if self.options.noprompt:
                kept = _default_choice(images)
            elif answered:
                try:
                    kept = _ask(len(images))
                except Closed:
                    answered = False
                    sys.stdout.write("\n")
            sys.stdout.write("\n")
            yield self._carry_out(images, kept)

    def _present(self, images: Set, number: int, total: int) -> None:
        display.show([image.path for image in images], self.options)
        folders = list(dict.fromkeys(str(PurePath(image.path).parent) for image in images))
        if len(folders) > 1 and not self.options.no_subdir_warning:
            messages.warn("WARNING! Found similar images in different subdirectories.")
            messages.warn("\n".join(map(printable, folders)))
        for place, image in enumerate(images, start=1):
            sys.stdout.write(f"{_describe(place, image)}\n")
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
        messages.name_files("these files are left as they are", [f"{path}: {why}" for path, why in left.items()])
        return [] if self.options.dry_run else gone


def _describe(place: int, image: Image) -> str:
    number, pixels = f"[{place}]", f"{image.width}x{image.height}"
    line = f"{image.bytes / 1024:>14.2f} kbyte {pixels:>9} {printable(image.path)}"
    return number + line[len(number) :]


def _default_choice(images: Set) -> set[int]:
    """Return the images to keep without a question: the first one and, if it is damaged, the first intact one too."""
    intact = next((place for place, image in enumerate(images) if not image.damaged), 0)
    return {0, intact} if images[0].damaged else {0}


def _ask(count: int) -> Collection[int]:
    """Ask which of `count` images to keep; return their numbers from 0. Raises `Closed` at the end of input."""
    while True:
        answer = _read_answer(f"preserve files [1 - {count}, all, none]: ")
        if answer in _ALL:
            return range(count)
        if answer in _NONE:
            return set() if _read_answer(_SURE) == "yes" else {0}
        kept = _numbers(answer)
        if kept and kept <= set(range(count)):
            return kept
        sys.stdout.write(_HELP)


def _numbers(answer: str) -> set[int]:
    """Convert an answer such as `1,3` to numbers from 0; an empty set if a part is not a number."""
    try:
        return {int(part) - 1 for part in answer.split(",")}
    except ValueError:
        return set()


def _read_answer(prompt: str) -> str:
    sys.stdout.write(prompt)
    sys.stdout.flush()
    line = sys.stdin.buffer.readline()
    if not line:
        raise Closed
    return line.decode(errors="replace").strip().lower()
