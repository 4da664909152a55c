"""Where an act takes place: alone, with a journal, and with what earlier runs on the same report have done."""

import contextlib
import os
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from twinpix import journal
from twinpix.errors import ReportError
from twinpix.locking import acting
from twinpix.model import Left, Step
from twinpix.pipeline.undoing import recover


class Ground(NamedTuple):
    """What a run on a report must know of the runs before."""

    journal: str  # where it writes
    dealt_with: set[str]  # files that were acted on already
    left: list[Left]  # what a killed run left that could not be mended


@contextlib.contextmanager
def on(
    report: str, action: str, options: Mapping[str, str], *, path: str | None = None, apply: bool
) -> Iterator[Ground]:
    """The time of a run of an action on a report; with `apply` alone, and after mending what a killed run left.

    `path` is the journal's; by default it lies beside the report. Raises `RefusedError` while another run acts,
    `ReportError` for a file at `path` that is no journal.
    """
    with acting(report) if apply else contextlib.nullcontext():
        known = dict.fromkeys([*journals_of(report), *([path] if path and os.path.exists(path) else [])])
        records = [journal.read(name) for name in known]
        left = [row for record in records if apply and record.is_open for row in recover(record, finish=True)]
        done = set[str]().union(*(dealt_with(record, action, options) for record in records))
        yield Ground(path or _default_journal(report, records), done, left)


def mend(stem: str) -> list[Left]:
    """Mend what killed runs left whose journals `new_journal` has named; returns what could not be mended.

    Raises `RefusedError` while another run acts.
    """
    left: list[Left] = []
    with acting():
        for path in _journals(stem):
            with contextlib.suppress(ReportError):  # another program's file of that name
                record = journal.read(path)
                left += recover(record, finish=True) if record.is_open else []
    return left


def _default_journal(report: str, records: list[journal.Record]) -> str:
    """On in what a killed run left, else a new file beside the report."""
    for record in records:
        if record.was_open:
            return record.path
    return new_journal(_stem(report))


def new_journal(stem: str) -> str:
    """The name of a journal that is not there yet, numbered when the plain one is taken."""
    name, number = f"{stem}.journal.jsonl", 1
    while os.path.lexists(name):
        number += 1
        name = f"{stem}.journal-{number}.jsonl"
    return name


def _stem(report: str) -> str:
    return os.path.splitext(os.path.abspath(report))[0]


def journals_of(report: str) -> list[str]:
    """The journals beside a report, the oldest first."""
    return _journals(_stem(report))


def _journals(stem: str) -> list[str]:
    folder, name = os.path.split(stem)
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    pattern = re.compile(re.escape(name) + r"\.journal(-[0-9]+)?\.jsonl")
    found = filter(pattern.fullmatch, names)
    return [os.path.join(folder, other) for other in sorted(found, key=lambda other: (len(other), other))]


def dealt_with(record: journal.Record, action: str, options: Mapping[str, str]) -> set[str]:
    """The files that a journal's runs have acted on, in the same way or so that they are gone, and did not put back."""
    done: set[str] = set()
    for session in record.sessions:
        steps = (session.steps[number] for number in session.done - session.undone)
        same = (session.action, session.options) == (action, options)
        done.update(step.path for step in steps if (same and _lasts(step)) or not os.path.lexists(step.path))
    return done


def _lasts(step: Step) -> bool:
    """False when what went elsewhere is not there any more: a copy that its user removed is made again."""
    return not step.target or os.path.lexists(step.target)
