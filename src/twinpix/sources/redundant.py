"""Which images of a report may go, because the keeper of their group stays: for exports, and for objects of stores."""

import os
from collections.abc import Collection
from typing import NamedTuple, get_args

from twinpix.errors import UsageError
from twinpix.model import Match, Relation, Report, explain_partly_compared, in_container, is_remote, is_uri, row_of
from twinpix.sources.bit_rot import DAMAGED, differ_in_part, may_be_damaged
from twinpix.sources.uris import container_of


class Redundant(NamedTuple):
    """An image that may go, because it is a copy of a keeper."""

    path: str  # as in the report
    uri: str  # absolute path, or URI with the absolute path of its container
    digest: str
    keeper: str  # absolute, as `uri`
    keeper_digest: str
    group: int = 0  # number of its group
    root: int = 0  # index in the roots of the report
    size: int = 0  # bytes
    match: Match | None = None  # with the keeper; None: a transitive match


class Left(NamedTuple):
    """An image that stays, or a container that is not written, with the reason."""

    path: str
    reason: str
    group: int = 0


def redundant_images(report: Report, only: Collection[Relation] = ()) -> tuple[list[Redundant], list[Left]]:
    """Return the images that may go, and the redundant ones that stay, with the reasons.

    `only`: relations to the keeper; images with others stay. Raises `UsageError` for an unknown one.
    """
    _check_relations(only)
    place = Places(report.base)
    out, left = list[Redundant](), list[Left]()
    for group in report.groups:
        keeper = next(member for member in group.members if member.path == group.keeper)
        to_keeper = group.to_keeper
        at = place.of(keeper.path)
        for member in group.redundant:
            uri, match = place.of(member.path), to_keeper.get(member.path)
            if only and (match is None or match.relation not in only):
                continue
            if why := explain_partly_compared(member, keeper, match):
                left.append(Left(member.path, why, group.id))
            elif may_be_damaged(keeper, member, match) and differ_in_part(at, uri, member.size):
                left.append(Left(member.path, f"differs from the keeper in one part: {DAMAGED}", group.id))
            else:
                facts = (group.id, member.root, member.size, match)
                out.append(Redundant(member.path, uri, member.digest, at, keeper.digest, *facts))
    return out, left


def list_redundant(report: Report, only: Collection[Relation] = ()) -> list[str]:
    """Return the images that may go: their ids if the report has ids, else their URIs, and their paths.

    Paths are as in the report if its base is the current folder, else absolute. Raises `UsageError`.
    """
    images, _ = redundant_images(report, only)
    here = os.path.realpath(report.base) == os.path.realpath(os.curdir)
    return [report.ids.get(image.path) or (image.path if here else image.uri) for image in images]


def _check_relations(only: Collection[str]) -> None:
    relations = [name for name in get_args(Relation) if name != "similar-scene"]
    for name in only:
        if name not in relations:
            raise UsageError(f"no relation is called {name!r}; there are: {', '.join(relations)}")


class Places:
    """Absolute paths and URIs of the images of a report."""

    def __init__(self, base: str) -> None:
        self._base = base
        self._files: dict[str, str] = {}

    def of(self, name: str) -> str:
        """Return the absolute path of a file, or the URI of a member with the absolute path of its container."""
        if is_remote(name):
            return name
        if not is_uri(name):
            return self._absolute(name)
        file = self._container(name)
        return (
            f"{self._absolute(file)}{name[len(file) :]}" if row_of(name) else name[: -len(file)] + self._absolute(file)
        )

    def container(self, name: str) -> str:
        """Return the absolute path or URL of the container of an image; "" for a file or object of its own."""
        if in_container(name):
            return self._absolute(self._container(name))
        return ""

    def _container(self, name: str) -> str:
        """Return the container as the report names it: its name, and that of the member, may contain `::`."""
        parts = name.partition("://")[2].split("::")
        if not row_of(name) and len(parts) > 2:
            for cut in range(len(parts) - 1, 0, -1):
                if os.path.isfile(self._absolute(file := "::".join(parts[cut:]))):
                    return file
        return container_of(name)

    def _absolute(self, path: str) -> str:
        if (known := self._files.get(path)) is None:
            known = path if is_remote(path) else os.path.normpath(os.path.join(self._base, path))
            self._files[path] = known
        return known
