"""Targets: each file at its place in the tree, under a name that no other file has."""

import os
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from functools import cache
from itertools import chain
from typing import NamedTuple

from twinpix import paths
from twinpix.act.actions import Action, Scope
from twinpix.act.actions.base import Outside
from twinpix.act.sidecars.kinds import is_annotations, key
from twinpix.act.steps import Facts
from twinpix.act.validate import absolute
from twinpix.model import Match, Report
from twinpix.paths import above, is_within


class Item(NamedTuple):
    """A file that is to be changed."""

    path: str  # absolute
    group: int
    match: Match | None  # with the keeper; None: a transitive match, or no duplicate
    facts: Facts
    digest: str
    keeper: str
    root: int
    reason: str = ""  # why the image is copied, or why the keeper of a duplicate is kept
    companion: bool = False  # whether it is a companion file of an image


class Names:
    """Assigns targets: each file at its place in the tree, under a name that is unique on any file system."""

    def __init__(self, report: Report, scope: Scope, action: Action) -> None:
        self._action, self._goes = action, bool(action.target(""))
        self._outside = Outside(scope) if self._goes else None
        self._roots = names_of(list(dict.fromkeys(scope.roots)))
        self._tops = {folder_of(root): root for root in sorted(self._roots, key=len)}
        self._taken: dict[str, set[str]] = defaultdict(set)  # names by folder
        self._listing = cache(_names_in)
        self._by_folder: dict[str, str] = {}
        self._given = [absolute(report.base, root) for root in report.roots]

    def of(self, items: Sequence[Item]) -> list[str]:
        """Return the targets of the files of one bundle: if they must be numbered, with one number."""
        plain = [self._action.target(self._tree(item)) for item in items] if self._goes else [""] * len(items)
        number, targets = 1, plain
        while self._goes and any(map(self._is_taken, targets)):
            number += 1
            targets = [paths.number_name(target, number) for target in plain]
        if self._goes:
            for target in targets:
                at = target.rfind(os.sep) + 1
                self._taken[_key(target[:at])].add(_key(target[at:]))
        return targets

    def _is_taken(self, target: str) -> bool:
        at = target.rfind(os.sep) + 1
        folder, name = target[:at], _key(target[at:])
        return name in self._listing(folder) or name in self._taken[_key(folder)]

    def _tree(self, item: Item) -> str:
        """Return the path of a file below its scanned folder."""
        path = item.path
        at = path.rfind(os.sep) + 1
        place = self._by_folder.get(path[:at])
        if place is None:
            found = self._place(os.path.dirname(path), item)
            if self._outside:
                self._outside.require(os.path.normpath(self._action.target(found)))
            place = self._by_folder[path[:at]] = found + os.sep if found else ""
        return place + path[at:]

    def _place(self, folder: str, item: Item) -> str:
        own = self._given[item.root : item.root + 1] if item.root >= 0 else []
        near = (self._tops[top] for top in above(folder) if top in self._tops)
        for root in chain(own, near):
            top = folder_of(root)
            if is_within(folder, top):
                way = os.path.relpath(folder, top)
                tree = self._roots[root] if os.path.isdir(root) else ""
                return os.path.normpath(os.path.join(tree, way)) if (tree or way != os.curdir) else ""
        return _from_annotations(folder)  # beside the scanned folder


def _from_annotations(folder: str) -> str:
    """Return the end of a path from its folder of annotations on: `labels/train`."""
    parts = folder.split(os.sep)
    at = next((at for at in range(len(parts) - 1, 0, -1) if is_annotations(key(parts[at]))), len(parts) - 1)
    return os.path.join(*parts[at:])


def names_of(roots: Sequence[str]) -> dict[str, str]:
    """Return the folder names of several roots in one target folder; a single root needs no name."""
    if len(roots) < 2:
        return dict.fromkeys(roots, "")
    names: dict[str, str] = {}
    used, last = set[str](), dict[str, int]()  # thousands of roots may have one name
    for root in roots:
        plain = name = os.path.basename(root) or "root"
        number = last.get(plain, 1)
        while name in used:
            number += 1
            name = paths.number_name(plain, number)
        names[root], last[plain] = name, number
        used.add(name)
    return names


def _names_in(folder: str) -> frozenset[str]:
    """Return the existing names in a folder."""
    try:
        return frozenset(_key(name) for name in os.listdir(folder))
    except OSError:
        return frozenset()  # it does not exist yet


def _key(path: str) -> str:
    """Return a key; two names with one key may be one name on some file system."""
    return unicodedata.normalize("NFC", path).casefold() if not path.isascii() else path.lower()


def folder_of(root: str) -> str:
    return root if os.path.isdir(root) else os.path.dirname(root)
