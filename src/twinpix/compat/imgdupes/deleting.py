"""Delete what the user decided to delete: planned, checked and written down like every act of twinpix."""

import os
import time
from collections.abc import Sequence
from functools import cache

import twinpix
from twinpix.act import filesystem
from twinpix.act.lock import acting
from twinpix.compat.imgdupes.hashing import Image
from twinpix.errors import StepError
from twinpix.managed import IN_LIBRARY, in_library
from twinpix.model import Facts, Plan, Stays, Step, Unit
from twinpix.text import printable


def delete(kept: Sequence[Image], gone: Sequence[Image]) -> dict[str, str]:
    """Delete the images `gone` of a set, of which `kept` stay; returns why, by path, for each that is left.

    A file that is not as it was when its hash was made is left, and all of them when what stays cannot be read
    back. `kept` is empty when the user has said in words that every copy is to go.
    """
    left: dict[str, str] = {}
    try:
        stays = [_stays(image) for image in kept]
    except StepError as error:
        return {image.path: str(error) for image in gone}
    alive = {stay.facts[:2] for stay in stays}
    units, shown = [], {}
    for number, image in enumerate(gone):
        path = os.path.abspath(image.path)
        shown[path] = image.path
        try:
            facts = _facts(image)
            if in_library(path):
                raise StepError(IN_LIBRARY)
            if facts[:2] in alive:
                raise StepError("is another name of one that stays")
            units.append(Unit(0, [Step(number, path, "", facts, "", stays[0].path if stays else "")]))
        except StepError as error:
            left[image.path] = str(error)
    plan = Plan("delete", {}, "", [], [], stays, units, [])
    with acting():
        outcome = twinpix.apply(plan, _journal())
    left.update((shown[row.path], row.reason) for row in outcome.left)
    return left


def _stays(image: Image) -> Stays:
    path = os.path.abspath(image.path)
    try:
        facts = _facts(image)
        return Stays(0, path, "chosen", facts, filesystem.digest_of(path, facts))
    except StepError as error:
        raise StepError(f"what would stay, {printable(image.path)}, {error}") from None


def _facts(image: Image) -> Facts:
    """The facts of a file that is as it was when its hash was made."""
    facts = filesystem.look(image.path)
    if (facts.size, facts.mtime_ns) != (image.bytes, image.mtime_ns):
        raise StepError("was changed since its hash was made")
    return facts


@cache
def _journal() -> str:
    """One record of a run's deletions; they cannot be undone, but looked up."""
    import platformdirs

    folder = os.path.join(platformdirs.user_state_dir("twinpix", appauthor=False), "journals")
    os.makedirs(folder, exist_ok=True)
    return os.path.join(folder, f"imgdupes-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.jsonl")
