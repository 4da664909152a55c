"""One run that moves objects: with the lock and its journal, after the repair of what a killed run left."""

import contextlib
import os
from collections.abc import Iterator
from typing import NamedTuple

from twinpix.act.lock import acting
from twinpix.act.objects import journal as journals
from twinpix.act.objects.companions import tops_of
from twinpix.act.objects.journal import ObjectJournal
from twinpix.act.objects.plan import checked_target
from twinpix.act.objects.recovery import recover
from twinpix.act.objects.steps import ObjectStep
from twinpix.act.steps import Skipped
from twinpix.model import Report


class ObjectRun(NamedTuple):
    """The journal of a run, and what earlier runs on the same report have moved."""

    journal: ObjectJournal | None  # None: a dry run
    moved: dict[str, ObjectStep]  # by old URL
    unrepaired: list[Skipped]


@contextlib.contextmanager
def open_run(report: Report, source: str, target: str, *, path: str | None, apply: bool) -> Iterator[ObjectRun]:
    """Prepare a run on the report at the path `source`; with `apply`, lock and repair.

    Raises `RefusedError` while another run changes files or objects, `ReportError`, `OutputError`, `UsageError`.
    """
    target = checked_target(target)
    source = os.path.abspath(source)
    path = path or journals.default_path(source, target)
    if not apply:
        found = journals.read(path)
        yield ObjectRun(None, found.moved() if found else {}, [])
        return
    tops = list(tops_of(report, report.roots))
    with acting(source), journals.opened(path, report=source, target=target, roots=tops) as log:
        journals.require_near(log)
        left = recover(log)
        yield ObjectRun(log, log.moved(), left)
