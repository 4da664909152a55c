"""Delete images that the user chose, with the plan, the checks and the journal of `twinpix resolve`."""

import os
from collections.abc import Sequence
from functools import cache

import twinpix
from twinpix.act import filesystem, session
from twinpix.act.lock import acting
from twinpix.act.steps import Facts, Plan, Skipped, Step, Unit
from twinpix.act.validate import absolute
from twinpix.compat.imgdupes.hashing import Image
from twinpix.errors import SkipKind, StepError
from twinpix.managed import IN_LIBRARY, in_library
from twinpix.model import Counts, Group, Match, Member, Relation, Report


def delete(kept: Sequence[Image], gone: Sequence[Image], folder: str | None) -> dict[str, str]:
    """Delete the images `gone` of a set and keep the images `kept`; return the reason, by path, of each skipped file.

    `folder` is the folder that was scanned; None if the files were listed one by one. A file that changed since its
    hash was computed is skipped; if a kept file changed, the whole set is skipped. Files that `twinpix resolve` would
    skip are skipped too: an image that was compared only in part, an image that may be the intact one of two, and an
    image whose companion files would be lost. `kept` is empty if the user confirmed that every copy is to be deleted.
    """
    plan = _plan_set(kept, gone, folder) if kept else _plan_without_keeper(gone)
    names = {absolute(os.getcwd(), image.path): image.path for image in (*kept, *gone)}
    with acting():
        outcome = twinpix.apply(plan, _journal())
    why = {names.get(row.path, row.path): row.reason for row in outcome.skipped}
    planned = {step.path for step in plan.steps}
    for image in gone:  # without a verified keeper, nothing of the set is deleted
        if image.path not in why and absolute(os.getcwd(), image.path) not in planned:
            why[image.path] = next((row.reason for row in plan.skipped), "nothing that stays can stand for it")
    return {image.path: why[image.path] for image in gone if image.path in why}


def _plan_set(kept: Sequence[Image], gone: Sequence[Image], folder: str | None) -> Plan:
    """Return the plan of `twinpix resolve --delete` for one set."""
    members = [_member(image) for image in (*kept, *gone)]
    first, *others = members
    matches = [_match(first, other) for other in others]
    report = Report(
        created="",
        roots=[folder] if folder else sorted({os.path.dirname(member.path) or os.curdir for member in members}),
        base=os.getcwd(),
        spec="",
        radius=0,
        link="star",
        counts=Counts(groups=1),
        groups=[Group(1, first.path, "chosen", members, matches)],
        failures=[],
        unit="bits",
    )
    return twinpix.plan(report, "delete", choices={1: [image.path for image in kept]})


def _match(first: Member, other: Member) -> Match:
    relation: Relation = "identical-file" if first.digest == other.digest else "edited"
    return Match(first.path, other.path, None, relation, same_code=False)


def _member(image: Image) -> Member:
    return Member(
        path=image.path,
        size=image.bytes,
        width=image.width,
        height=image.height,
        mtime_ns=image.mtime_ns,
        digest=image.digest,
        damaged=image.damaged,
        link=image.link,
        frames=image.traits.frames if image.traits else 1,
        traits=image.traits,
    )


def _plan_without_keeper(gone: Sequence[Image]) -> Plan:
    """Return the plan that deletes every image of a set."""
    units: list[Unit] = []
    left: list[Skipped] = []
    for number, image in enumerate(gone):
        path = absolute(os.getcwd(), image.path)
        try:
            if in_library(path):
                raise StepError(IN_LIBRARY, SkipKind.IN_LIBRARY)
            units.append(Unit(0, [Step(number, path, "", _facts(image), image.digest)]))
        except StepError as error:
            left.append(Skipped(path, str(error), kind=error.kind))
    return Plan("delete", {}, "", [], [], [], units, left)


def _facts(image: Image) -> Facts:
    """Return the facts of a file; raises `StepError` if it changed since its hash was computed."""
    facts = filesystem.facts_at(image.path)
    if (facts.size, facts.mtime_ns) != (image.bytes, image.mtime_ns):
        raise StepError("was changed since it was scanned", SkipKind.CHANGED)
    return facts


def mend() -> list[Skipped]:
    """Repair the unfinished steps of killed runs; return the files that could not be repaired."""
    return session.mend(_stem())


@cache
def _journal() -> str:
    """Return the path of this run's journal: it records the deletions, which cannot be undone."""
    return session.new_journal(_stem())


def _stem() -> str:
    import platformdirs

    folder = os.path.join(platformdirs.user_state_dir("twinpix", appauthor=False), "journals")
    os.makedirs(folder, mode=0o700, exist_ok=True)
    return os.path.join(folder, "imgdupes")
