"""Folders of files with a report on them, and their contents afterwards: for tests of actions."""

import os
import shutil
from pathlib import Path
from typing import Any

import xxhash

from twinpix import outputs, plugins
from twinpix.act.actions import reflink
from twinpix.model import Counts, Group, Match, Member, Report, Unique
from twinpix.report import writer
from twinpix.report.base import encode_text

Tree = dict[str, tuple[bytes, int, int]]  # content, time, mode of each file


def content(number: int) -> bytes:
    """The bytes of a file, different ones for each number."""
    return b"%d " % number * 400


def member(base: Path, path: str, **changes: object) -> Member:
    """The member of a report for an existing file."""
    data, status = (base / path).read_bytes(), (base / path).stat()
    facts = {
        "path": path,
        "size": len(data),
        "width": 8,
        "height": 8,
        "mtime_ns": status.st_mtime_ns,
        "digest": xxhash.xxh3_128_hexdigest(data),
        "format": "PNG",
    }
    return Member(**(facts | changes))  # type: ignore[arg-type]


def write(base: Path, path: str, data: bytes, *, mtime: int = 1_600_000_000, mode: int = 0o644) -> None:
    file = base / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    file.chmod(mode)
    os.utime(file, ns=(mtime * 10**9 + 5, mtime * 10**9 + 7))


def library(base: Path, groups: int = 3, *, equal: bool = False) -> Report:
    """Groups of three files below `base/photos`, identical ones with `equal`, and one image in no group."""
    found = []
    for number in range(groups):
        names = [f"photos/{number}.png", f"photos/{number} copy.png", f"photos/sub/{number} small.png"]
        for at, name in enumerate(names):
            write(base, name, content(number if equal else 10 * number + at), mtime=1_600_000_000 + at, mode=0o640 + at)
        found.append(group(base, number + 1, names))
    write(base, "photos/alone.png", b"alone")
    return report(base, found)


def group(base: Path, number: int, names: list[str], distance: int = 2) -> Group:
    """A group whose first member is the keeper; all members match each other."""
    members = [member(base, name) for name in names]
    pairs = [(a, b) for at, a in enumerate(members) for b in members[at + 1 :]]
    matches = [
        Match(a.path, b.path, 0, "identical-file", same_code=True)
        if a.digest == b.digest
        else Match(a.path, b.path, distance, "re-encoded", same_code=False)
        for a, b in pairs
    ]
    return Group(number, names[0], "largest file", members, matches)


def report(base: Path, groups: list[Group], roots: tuple[str, ...] = ("photos",)) -> Report:
    unique: list[Unique] = []
    if (base / "photos/alone.png").exists():
        known = member(base, "photos/alone.png")
        unique = [Unique(known.path, known.size, known.mtime_ns, known.digest)]
    return Report(
        created="2026-01-01T00:00:00+00:00",
        roots=list(roots),
        base=str(base),
        spec="phash:size=16",
        radius=76,
        link="star",
        counts=Counts(groups=len(groups), unique=len(unique)),
        groups=groups,
        failures=[],
        unique=unique,
        unit="bits",
    )


def save(found: Report, path: Path) -> Path:
    """Write a report."""
    outputs.write(str(path), encode_text(writer("json").parts(found)), writer("json").kind)
    return path


def tree(folder: Path) -> Tree:
    """Every file below a folder, links followed, with what undo must restore."""
    out = {}
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            status = file.stat()
            out[str(file.relative_to(folder))] = (file.read_bytes(), status.st_mtime_ns, status.st_mode & 0o777)
    return out


def contents(*folders: Path) -> set[bytes]:
    """Every distinct content below some folders."""
    return {file.read_bytes() for folder in folders for file in folder.rglob("*") if file.is_file()}


def act_with(action: str) -> list[str]:
    """The options of `resolve` for an action, found by discovery; an action that needs a folder gets `out`."""
    return ["--action", spec_of(action)]


def sample_options(action: str, folder: Path | str) -> dict[str, str]:
    """The sample options of the class of an action; `{folder}` in them stands for a folder."""
    sample = getattr(plugins.load("actions", action), "sample", {})
    return {name: value.format(folder=folder) for name, value in sample.items()}


def spec_of(action: str, folder: Path | str = "out") -> str:
    """The specification of an action, with the sample options of its class."""
    options = ",".join(f"{name}={value}" for name, value in sample_options(action, folder).items())
    return f"{action}:{options}" if options else action


def actions_where(**facts: object) -> list[str]:
    """The names of all actions with these attributes (`permanent=False`, `on="discards"`) that work here."""
    loaded = ((name, plugins.load("actions", name)) for name in plugins.names("actions"))
    return [
        name
        for name, made in loaded
        if all(getattr(made, fact) == value for fact, value in facts.items()) and name != "reflink"
    ]


def sample_of(kind: str, name: str, folder: Path | str = "") -> Any:
    """A plugin with the sample options of its class, for tests; `{folder}` in them stands for a folder."""
    sample = getattr(plugins.load(kind, name), "sample", {})
    return plugins.build(kind, name, {key: value.format(folder=folder) for key, value in sample.items()})


def make_reflinks_copies() -> None:
    """Replace reflinks by copies, since few file systems can share the bytes of two files."""

    def clone(source: str, name: str) -> None:
        shutil.copyfile(source, name)

    reflink._clone = clone
