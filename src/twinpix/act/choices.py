"""The choices of a user, group by group, written immediately, so that a dialogue can be continued."""

import errno
import json
import os
import stat
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from twinpix import owners
from twinpix.errors import OutputError, system_reason
from twinpix.model import Member, Report

SCHEMA = "twinpix.choices/1"


class Choices:
    """The paths to keep of each decided group; one line of JSON is written for each decision.

    A file that another user could have written is not read; `refused` has the reason.
    """

    def __init__(self, report: Report, path: str) -> None:
        self.path = path
        self.refused = ""
        self.kept: dict[int, list[str]] = {}
        self.recalled = set[int]()  # groups that were kept completely with an earlier report, and not decided since
        self._recorded = set[int]()  # groups whose choice is in the file
        self._report = report
        self._whole = True  # the last line of the file
        self._written = self._read(report)

    @classmethod
    def beside(cls, report: Report, path: str) -> "Choices":
        """Return the choices for a report, in a file beside it.

        If the user kept all images of a group of an earlier report, they are kept again, unless the group has a new
        file. Other choices for earlier reports are not used.
        """
        stem = os.path.splitext(os.path.abspath(path))[0]
        number, refused = 1, []
        whole: list[Counter[str]] = []
        while True:
            found = cls(report, f"{stem}.choices{f'-{number}' if number > 1 else ''}.jsonl")
            refused += [f"{found.path} is not used: {found.refused}"] if found.refused else []
            if found._written or not os.path.lexists(found.path):
                found.refused = "; ".join(refused)
                found._recall(whole)
                return found
            if not found.refused:
                whole += _read_completely_kept(found.path)
            number += 1

    @cached_property
    def _head(self) -> dict[str, str]:
        """Return what identifies a report; computed only when needed, because it is slow."""
        report = self._report
        return {"schema": SCHEMA, "created": report.created, "spec": report.spec, "groups": _groups_id(report)}

    @cached_property
    def _members(self) -> dict[int, list[Member]]:
        return {group.id: group.members for group in self._report.groups}

    def keep(self, group: int, paths: list[str]) -> None:
        """Decide one group; raises `OutputError` if that cannot be written."""
        self.kept[group] = paths
        self.recalled.discard(group)
        self._write(group, paths)

    def drop(self, group: int) -> None:
        """Make one group undecided again."""
        if self.kept.pop(group, None) is not None:
            self.recalled.discard(group)
            self._write(group, [])

    def _recall(self, whole: Sequence[Counter[str]]) -> None:
        """Keep all groups that have only files which were kept completely before."""
        having: dict[str, list[Counter[str]]] = defaultdict(list)
        for before in whole:
            for digest in before:
                having[digest].append(before)
        for group in self._report.groups if whole else ():
            digests = Counter(member.digest for member in group.members)
            known = having.get(group.members[0].digest, ())
            if group.id not in self._recorded and any(digests <= before for before in known):
                self.kept[group.id] = [member.path for member in group.members]
                self.recalled.add(group.id)

    def _line(self, group: int, paths: list[str]) -> dict[str, object]:
        """Return a decision as JSON, with the contents of a group of which all is kept, which identify it later."""
        members = self._members.get(group, [])
        whole = sorted(member.digest for member in members) if paths and len(paths) == len(members) else []
        return {"group": group, "keep": paths, **({"whole": whole} if whole else {})}

    def _write(self, group: int, paths: list[str]) -> None:
        lines: list[object] = [] if self._written else [self._head]
        try:
            new = 0 if self._written else os.O_EXCL
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | new | getattr(os, "O_NOFOLLOW", 0)
            with os.fdopen(os.open(self.path, flags, 0o600), "a", encoding="ascii") as file:
                file.write("" if self._whole else "\n")  # after an incomplete line
                file.writelines(json.dumps(line) + "\n" for line in (*lines, self._line(group, paths)))
        except OSError as error:
            why = system_reason(error)
            raise OutputError(
                f"cannot write {self.path}: {why}; choices are stored beside the report: copy it to your own folder"
            ) from None
        self._written = self._whole = True

    def _read(self, report: Report) -> bool:
        """Read the choices for exactly this report; False if the file does not exist, or is of another report."""
        try:
            with open(self.path, encoding="ascii", opener=_plain) as file:
                if why := owners.stranger(os.fstat(file.fileno())):
                    self.refused = why
                    return False
                if _value(file.readline()) != self._head:
                    return False
                members = {group.id: {member.path for member in group.members} for group in report.groups}
                for line in file:
                    self._take(_value(line), members)
                    self._whole = line.endswith("\n")
        except (OSError, UnicodeDecodeError):
            return False
        return True

    def _take(self, row: Any, members: Mapping[int, set[str]]) -> None:
        if not isinstance(row, dict) or not isinstance(row.get("group"), int) or not isinstance(row.get("keep"), list):
            return
        number, paths = row["group"], list(map(str, row["keep"]))
        self._recorded.add(number)
        if not paths:
            self.kept.pop(number, None)
        elif members.get(number, set()).issuperset(paths):
            self.kept[number] = paths


def _plain(path: str, flags: int) -> int:
    """Open a regular file; raises `OSError` for links and for pipes, which may block."""
    handle = os.open(path, flags | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "not a regular file", path)
    return handle


def _read_completely_kept(path: str) -> list[Counter[str]]:
    """Return the contents of each group that was kept completely, from a file of choices."""
    found: dict[int, Counter[str]] = {}
    try:
        with open(path, encoding="ascii", opener=_plain) as file:
            for row in map(_value, file):
                if isinstance(row, dict) and isinstance(row.get("group"), int):
                    whole = row.get("whole")
                    found[row["group"]] = Counter(map(str, whole)) if isinstance(whole, list) else Counter()
    except (OSError, UnicodeDecodeError):
        return []
    return [contents for contents in found.values() if contents]


def _groups_id(report: Report) -> str:
    """Return what distinguishes the groups of a report from those of other rules, or of a smaller radius."""
    import xxhash

    state = xxhash.xxh3_128()
    for group in report.groups:
        names = sorted(member.path for member in group.members)
        state.update(json.dumps([group.id, names]).encode("ascii"))
    return state.hexdigest()


def _value(line: str) -> Any:
    """Return one line of JSON; None if it is incomplete."""
    try:
        return json.loads(line) if line.endswith("\n") else None
    except ValueError:
        return None
