"""Files that copying the keepers leaves behind: those below the scanned folders neither copied nor duplicates."""

import os
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence

from twinpix.act import filesystem
from twinpix.act.actions import Scope
from twinpix.act.sidecars.folders import Folders
from twinpix.act.steps import Skipped, Step
from twinpix.errors import SkipKind, StepError
from twinpix.formats import claims_image
from twinpix.managed import is_library

_NOT_COPIED = "is not copied"
_WASTE = frozenset(
    {".ds_store", "thumbs.db", "ehthumbs.db", "desktop.ini", ".localized"}
)  # created by operating systems
_WASTE_FOLDERS = frozenset({"@eadir", "__macosx", "#recycle", "$recycle.bin", "system volume information"})


def find_uncopied(
    scope: Scope,
    steps: Sequence[Step],
    discards: Collection[str],
    done: Collection[str],
    own: str,
    folders: Folders,
    scanned: Collection[str] = (),
) -> Iterator[Skipped]:
    """Return the files below the scanned folders that would be lost if these were removed after a copy.

    `steps` copy files; `discards` are duplicates of copied files; `done` was copied before; `own` is the report, whose
    journals may be beside it; `scanned` are the images of the report. A companion file of a duplicate is not among them
    if its bytes are copied.
    """
    copied = {step.path: step for step in steps}
    inodes = {step.facts[:2] for step in steps}
    spare = {companion for path in discards for companion in folders.of(path).sidecars}
    alike = _by_size(copied)
    for path, why in _files(scope):
        if path in copied or path in discards or path in done or _is_own(path, own):
            continue
        if why:
            yield Skipped(path, f"{_NOT_COPIED}: {why}", kind=SkipKind.NOT_COPIED)
            continue
        try:
            facts = filesystem.facts_at(path)
        except StepError:
            continue  # a link, or no regular file
        if facts[:2] in inodes or (path in spare and _is_among(path, alike)):
            continue
        if path in scanned:
            what = "nothing was decided about its group"
        else:
            what = "it was not scanned" if claims_image(path) else "it is no image, nor a companion file of one"
        yield Skipped(path, f"{_NOT_COPIED}: {what}", kind=SkipKind.NOT_COPIED)


def _files(scope: Scope) -> Iterator[tuple[str, str]]:
    """Yield the files below the scanned folders without references, and unreadable folders with the reason."""
    references = frozenset(map(os.path.realpath, scope.references))
    entered = set[str]()
    pending = sorted({root for root in scope.roots if os.path.isdir(root)}, reverse=True)
    while pending:
        folder = pending.pop()
        real = os.path.realpath(folder)
        if real in entered or real in references:
            continue
        entered.add(real)
        try:
            with os.scandir(folder) as entries:
                found = sorted((entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries)
        except OSError:
            yield folder, "the folder cannot be read"
            continue
        for name, is_folder in found:
            path = os.path.join(folder, name)
            if not is_folder:
                if name.lower() not in _WASTE and not name.startswith("._"):
                    yield path, ""
            elif is_library(name):
                yield path, "it is a library of another program"
            elif name.lower() not in _WASTE_FOLDERS:
                pending.append(path)


def _is_own(path: str, report: str) -> bool:
    """True for the report, its journals and choices."""
    stem = os.path.splitext(report)[0]
    return bool(report) and (path == report or (path.startswith(f"{stem}.") and path.endswith(".jsonl")))


def _by_size(copied: Mapping[str, Step]) -> dict[tuple[int, str], list[str]]:
    found: dict[tuple[int, str], list[str]] = defaultdict(list)
    for path, step in copied.items():
        found[step.facts.size, os.path.splitext(path)[1].lower()].append(path)
    return found


def _is_among(path: str, alike: Mapping[tuple[int, str], Sequence[str]]) -> bool:
    """True if a copied file has the same bytes."""
    try:
        facts = filesystem.facts_at(path)
        others = alike.get((facts.size, os.path.splitext(path)[1].lower()), ())
        if not others:
            return False
        digest = filesystem.digest_of(path, facts)
        return any(filesystem.digest_of(other, filesystem.facts_at(other)) == digest for other in others)
    except StepError:
        return False
