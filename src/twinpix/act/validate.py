"""Checks of a report: it is text that anyone may have edited, so its paths are checked before they are used."""

import os
import re
from collections.abc import Iterable, Iterator, Sequence

from twinpix import paths
from twinpix.act.actions.base import Scope
from twinpix.errors import ReportError
from twinpix.model import Group, Report, is_remote, is_uri, row_of
from twinpix.paths import above
from twinpix.sources.uris import expand
from twinpix.text import plural, printable

_MAX_LISTED = 5  # faults that are listed
_DIGEST = re.compile("[0-9a-f]{32}")


def scope_of(report: Report) -> Scope:
    """Return the folders of a report; raises `ReportError` if one of them does not exist."""
    roots, references = (_local_files(report.base, names) for names in (report.roots, report.references))
    scope = Scope([absolute(report.base, root) for root in roots], [absolute(report.base, root) for root in references])
    missing = [place for place in zip(scope.roots, roots, strict=True) if not os.path.exists(place[0])]
    images = _images(report) if missing else set()
    for root, given in missing:
        if given not in images:  # an image that was named by itself may have been moved by an earlier run
            raise ReportError(
                f"the report names {printable(root)}, which does not exist: the report is outdated or of another "
                "machine; run find again"
            )
    return scope


def _local_files(base: str, names: Sequence[str]) -> list[str]:
    """Return paths without objects of stores, and for a range of files those that exist."""
    out = list[str]()
    for name in names:
        if not is_remote(name):
            files = expand(name)
            out += [file for file in files if len(files) == 1 or os.path.exists(os.path.join(base, file))]
    return out


def _images(report: Report) -> set[str]:
    members = {member.path for group in report.groups for member in group.members}
    return members | {image.path for image in report.unique or ()}


def sound_places(report: Report) -> dict[str, str]:
    """Return the absolute path of each file of a report.

    Raises `ReportError` if the report is inconsistent, or names files outside its folders.
    """
    places: dict[str, str] = {}
    if faults := list(_faults(report, places)):
        raise _untrusted(faults)
    return places


def sound_groups(report: Report, groups: Iterable[Group]) -> Iterator[Group]:
    """Yield the groups of a report that is read in parts; raises `ReportError` at the first fault of one."""
    places, seen, numbers = Places(report), dict[str, int](), set[int]()
    for fault in _head_faults(report):
        raise _untrusted([fault])
    for group in groups:
        faults = [*_of_number(group, numbers), *_of_group(group, places, seen, {})]
        if faults:
            raise _untrusted(faults)
        yield group


def _untrusted(faults: Sequence[str]) -> ReportError:
    more = f"\n  … and {len(faults) - _MAX_LISTED} more" if len(faults) > _MAX_LISTED else ""
    listed = "".join(f"\n  {fault}" for fault in faults[:_MAX_LISTED])
    count = plural(len(faults), "fault")
    return ReportError(f"the report cannot be trusted ({count}); nothing was changed:{listed}{more}")


def _faults(report: Report, known: dict[str, str]) -> Iterator[str]:
    for fault in _head_faults(report):
        yield fault
        return
    numbers = set[int]()
    for group in report.groups:
        yield from _of_number(group, numbers)
    places = Places(report)
    seen: dict[str, int] = {}
    for group in report.groups:
        yield from _of_group(group, places, seen, known)
    for image in report.unique or ():
        known[image.path] = place = places.of(image.path)
        if not place:
            yield f"{printable(image.path)} is outside the folders that were scanned"


def _head_faults(report: Report) -> Iterator[str]:
    if not os.path.isabs(report.base):
        yield f"its base is no absolute path: {printable(report.base)}"
        return
    for folder in (report.base, *report.roots, *report.references):
        if not paths.is_name(folder):
            yield f"no folder can have the name {printable(folder)}"
            return
        if os.pardir in folder.split(os.sep) and not _is_plain(report, folder):
            yield f"{printable(folder)} has .. after a symbolic link: run find on its real path"
            return


def _of_number(group: Group, seen: set[int]) -> Iterator[str]:
    """Check that a group has a number of its own, from 1 on."""
    if group.id < 1 or group.id in seen:
        yield f"group {group.id}: {'two groups have this number' if group.id in seen else 'numbers begin at 1'}"
    seen.add(group.id)


def _of_group(group: Group, places: "Places", seen: dict[str, int], found: dict[str, str]) -> Iterator[str]:
    known = set()
    for member in group.members:
        known.add(member.path)
        found[member.path] = place = places.of(member.path)
        if not place:
            yield f"group {group.id}: {printable(member.path)} is outside the folders that were scanned"
        elif place in seen:
            yield f"{printable(member.path)} is listed twice, in group {seen[place]} and in group {group.id}"
        elif not _DIGEST.fullmatch(member.digest):
            yield f"group {group.id}: {printable(member.path)} has no digest"
        seen[place] = group.id
    if group.keeper not in known:
        yield f"group {group.id}: the keeper, {printable(group.keeper)}, is not one of its members"
    if any(match.a not in known or match.b not in known for match in group.matches):
        yield f"group {group.id}: a match names a file that is not one of its members"


def _is_plain(report: Report, folder: str) -> bool:
    """True if a path with `..` leads where it seems to: not behind a symbolic link to a folder."""
    return os.path.realpath(os.path.join(report.base, folder)) == os.path.realpath(absolute(report.base, folder))


class Places:
    """The absolute paths of a report's files that are in its folders."""

    def __init__(self, report: Report) -> None:
        self._base = report.base
        folders = _local_files(report.base, [*report.roots, *report.references])
        self._given = {absolute(report.base, folder): folder for folder in folders}
        urls = [url for name in (*report.roots, *report.references) if is_remote(name) for url in expand(name)]
        self._urls = {url.rstrip("/") for url in urls}
        self._patterns = tuple(url.partition("*")[0] for url in urls if "*" in url)
        self._known: dict[str, str] = {}

    def _of_url(self, url: str) -> str:
        above = url
        while above:
            if above in self._urls:
                return url
            above = above.rpartition("/")[0]
        return url if url.startswith(self._patterns) else ""

    def of(self, path: str) -> str:
        """Return the absolute path, the URL or the URI of a member or row of a file, or "" for one outside."""
        if is_remote(path):
            return self._of_url(path)
        row = row_of(path)
        if row and (file := self.of(path[: -len(row) - 1])):
            return f"{file}#{row}"
        if is_uri(path) and not row:
            start, mark, container = path.rpartition("::")
            file = self.of(container) if mark else ""
            return f"{start}{mark}{file}" if file else ""
        if os.altsep:  # Windows has two separators
            path = path.replace(os.altsep, os.sep)
        if not path.isascii() and not paths.is_name(path):
            return ""
        at = path.rfind(os.sep) + 1
        folder, name = path[:at], path[at:]
        place = self._known.get(folder)
        if place is None:
            place = self._known[folder] = self._resolve_folder(folder)
        if place and "\0" not in name and name not in ("", os.curdir, os.pardir):
            return place + name
        return self._resolve_named(path)

    def _resolve_folder(self, folder: str) -> str:
        """Return the folder with a final separator, or "" for one outside."""
        if "\0" in folder:
            return ""
        place = os.path.normpath(os.path.join(self._base, folder))
        for root in above(place):
            if (given := self._given.get(root)) is not None:
                rest = folder[len(given) :] if folder.startswith(given) else folder
                if os.pardir not in rest.split(os.sep):
                    return place.rstrip(os.sep) + os.sep
        return ""

    def _resolve_named(self, path: str) -> str:
        """Return the absolute path of an image that was named by itself, or "" for any other file."""
        place = "" if "\0" in path else os.path.normpath(os.path.join(self._base, path))
        return place if self._given.get(place) == path else ""


def absolute(base: str, path: str) -> str:
    """Return a path of a report, relative to its base."""
    return os.path.normpath(os.path.join(base, path))
