"""One sitting: the index of a report, the decisions about its groups, the images, and the acts of the user."""

import json
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from twinpix import machine
from twinpix import report as reports
from twinpix.act.decisions import (
    Choice,
    Decisions,
    File,
    Verdict,
    choice_of,
    decided,
    files_of,
    kept_of,
    state_of,
)
from twinpix.act.session import acted_on
from twinpix.act.validate import absolute, sound_groups
from twinpix.encoding.options import Options
from twinpix.encoding.session import open_store
from twinpix.errors import ReportError, UsageError, WorkerError
from twinpix.executors import Begin, Local, Lost
from twinpix.executors.service import Service
from twinpix.machine import no_garbage_collection
from twinpix.model import Report, is_uri, locate
from twinpix.progress import Progress
from twinpix.review.index import Filter, Image, Index
from twinpix.review.pictures import Draw, Request
from twinpix.review.rules import LEAST, ChooseKeepers, Decided, Rule, meets

_SMALL_BYTES = 8 << 20  # of a report that is read in this process: a worker starts in a third of a second
_POLL_SECONDS = 0.02  # between looks whether the first groups are there
_READ_SECONDS = 3600.0  # limit for reading the largest report; a terminal shows that it is being read
_DRAW_SECONDS = 60.0  # limit for one image, as that of `find`


class Head(NamedTuple):
    """Facts about a report that the page shows."""

    roots: list[str]
    base: str
    spec: str
    created: str
    unit: str
    groups: int
    discards: int
    bytes: int
    similar: int
    failures: int
    keep: str


@dataclass(frozen=True, slots=True)
class BuildIndex:
    """Reads a report and writes its index, in a process of its own: the memory of the report is free afterwards."""

    def __call__(self, batch: Sequence[tuple[str, str]], begin: Begin) -> list[None]:
        begin(0)
        for path, index in batch:
            _index(path, index)
        return [None] * len(batch)


def _index(path: str, index: str) -> None:
    report, groups = reports.read_in_parts(path)
    with no_garbage_collection():
        Index.build(sound_groups(report, groups), index, json.dumps(_head(report)._asdict()))


def _is_small(path: str) -> bool:
    try:
        return os.path.getsize(path) <= _SMALL_BYTES
    except OSError:  # reading it says why
        return True


def _head(report: Report) -> Head:
    counts = report.counts
    return Head(
        report.roots,
        report.base,
        report.spec,
        report.created,
        report.unit,
        counts.groups,
        counts.discards,
        counts.bytes_reclaimable,
        len(report.similar),
        counts.failures,
        report.keep,
    )


class Sitting:
    """All that the server knows; every method may be called by several threads."""

    def __init__(self, report: str, options: Options) -> None:
        self.path = os.path.abspath(report)
        self.options = options
        self._folder = tempfile.mkdtemp(prefix="twinpix-review-")
        self._lock = threading.RLock()
        self._recalled = False
        self._by_rules: dict[str, dict[int, str]] = {}  # paths of keepers by the keep rules that were asked for last
        try:
            self.index = Index(os.path.join(self._folder, "index.sqlite"))
            self._reading = threading.Thread(target=self._read, daemon=True)
            self._error: Exception | None = None
            self._reading.start()
            self.head = self._wait_for_head()
            with open_store(options, Progress()) as store:
                self.decisions = Decisions.of(store)
            self._images = Service(Draw(), max(2, machine.cores()), _DRAW_SECONDS)
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise

    def close(self) -> None:
        self._images.close()
        self.index.close()
        self.decisions.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def ask(self, request: Request, urgency: float = 0.0) -> "Future[Any]":
        """Return the future answer to a request for an image; a smaller `urgency` is answered earlier."""
        return self._images.ask(request, urgency)

    def place_of(self, image: int) -> str | None:
        """Return the absolute path or the URI of an image by its number; None if the report has no such image."""
        found = self.index.image(image)
        if found is None:
            return None
        return locate(self.head.base, found.path)

    def _files(self, images: Sequence[Image]) -> list[File]:
        return [File(image.digest, locate(self.head.base, image.path)) for image in images]

    def decide(self, group: int, keeper: int, verdicts: Mapping[int, Verdict], what: str) -> int:
        """Store the decision about a group, by numbers of images; those without a verdict are discarded.

        Raises `KeyError` for an image that is not in the group.
        """
        images = self.index.images_of(group)
        place = {image.number: at for at, image in enumerate(images)}
        if keeper not in place or not set(verdicts) <= set(place):
            raise KeyError(group)
        files = self._files(images)
        choice = decided(files, place[keeper], {place[number]: verdict for number, verdict in verdicts.items()})
        digests = [file.digest for file in files]
        batch = self.decisions.decide([(digests, choice)], what)
        self.index.set_states({group: state_of(self.decisions.among(digests))})
        return batch

    def decide_groups(self, groups: Sequence[int], verdict: Verdict) -> dict[str, int]:
        """Decide some groups as one batch: all images but the keeper get one verdict.

        The keeper is that of an earlier decision or of the report. With `Verdict.DISCARD` a group of which a file has
        changed since `find` is left out. Raises `KeyError` for an unknown group.
        """
        choices, states, changed = list[tuple[list[bytes], Choice]](), dict[int, str](), 0
        for number in dict.fromkeys(groups):
            group, images = self.index.group(number), self.index.images_of(number)
            if group is None:
                raise KeyError(number)
            if verdict == Verdict.DISCARD and self._changes(group["images"], images):
                changed += 1
                continue
            files = self._files(images)
            digests = [file.digest for file in files]
            known = self.decisions.among(digests)
            if known is not None and state_of(known) == "decided" and verdict == Verdict.DISCARD:
                continue
            keeper = files_of(known, files)[0] if known is not None else _place_of(group["keeper"], images)
            choice = decided(files, keeper, {at: verdict for at in range(len(files)) if at != keeper})
            choices.append((digests, choice))
            states[number] = state_of(choice)
        if choices:
            self.decisions.decide(choices, f"{len(choices):,} selected groups")
            self.index.set_states(states)
        return {"groups": len(choices), "changed": changed}

    def reopen(self, group: int) -> None:
        """Make a group undecided again."""
        digests = [image.digest for image in self.index.images_of(group)]
        self.decisions.clear([digests], f"group {group} undecided")
        self.index.set_states({group: ""})

    def accept(self, chosen: Filter, rule: Rule, *, apply: bool) -> dict[str, Any]:
        """Decide the undecided groups of a filter by a rule, as one batch; without `apply` only count them.

        Groups that do not meet the conditions, and groups of which a file has changed since, stay undecided. Raises
        `UsageError` for unknown keep rules.
        """
        keepers = self._keepers(rule.keep) if rule.keep else None
        choices, states, sizes = list[tuple[list[bytes], Choice]](), dict[int, str](), dict[int, tuple[float, int]]()
        images = left_out = changed = 0
        for number in self.index.ids(replace(chosen, state="undecided")):
            group = self.index.group(number)
            assert group is not None
            found = self.index.images_of(number)
            keeper = group["keeper"] if keepers is None else _number_of(keepers.get(number), found)
            if keeper is None or not meets(rule, keeper, group["images"]):
                left_out += 1
                continue
            if self._changes(group["images"], found):
                left_out, changed = left_out + 1, changed + 1
                continue
            at = _place_of(keeper, found)
            choices.append(([image.digest for image in found], decided(self._files(found), at, {})))
            images += len(found) - 1
            size = sum(image["bytes"] for image in group["images"] if image["number"] != keeper and not image["stays"])
            states[number], sizes[number] = "decided", (group["certainty"], size)
        if apply and choices:
            self.decisions.decide(choices, f"{len(choices):,} groups by a rule")
            self.index.set_states(states)
        least = sorted(sizes, key=lambda number: (sizes[number][0], number))[:LEAST]
        total = sum(size for _, size in sizes.values())
        return Decided(len(choices), images, total, left_out, changed, least)._asdict()

    def changes(self, group: int) -> dict[int, str]:
        """Return the images of a group that are not as `find` read them: `gone`, or `changed`, by their numbers."""
        found = self.index.group(group)
        return self._changes(found["images"], self.index.images_of(group)) if found else {}

    def _changes(self, images: Sequence[Mapping[str, Any]], found: Sequence[Image]) -> dict[int, str]:
        out = {}
        for facts, image in zip(images, found, strict=True):
            if is_uri(image.path) or facts["acted"]:
                continue
            try:
                now = os.stat(locate(self.head.base, image.path))
            except (OSError, ValueError):
                out[image.number] = "gone"
                continue
            if (now.st_size, now.st_mtime_ns) != (facts["bytes"], facts["mtime_ns"]):
                out[image.number] = "changed"
        return out

    def _keepers(self, rules: str) -> dict[int, str]:
        """Return the paths of the keepers by keep rules; raises `UsageError` for unknown ones."""
        if rules not in self._by_rules:
            executor = Local(workers=1, timeout=_READ_SECONDS)
            ((_, found),) = executor.map(ChooseKeepers(self.path), [[rules]])
            if isinstance(found, Lost):
                raise UsageError(found.reason)
            if isinstance(found, str):
                raise UsageError(found)
            self._by_rules = {rules: found}
        return self._by_rules[rules]

    def merge(self, path: str) -> int:
        """Add the decisions of a file; returns how many were added or changed."""
        changed = self.decisions.merge(path)
        self._recall()
        return changed

    def take_back(self) -> str:
        """Undo the last decision; returns what it was, "" if there is none."""
        with self._lock:
            last = self.decisions.last()
            if last is None:
                return ""
            self.decisions.take_back()
            self._recall()
        return last[1]

    def decision(self, group: int) -> dict[str, Any] | None:
        """Return the decision about a group by numbers of images; None if it is undecided."""
        images = self.index.images_of(group)
        choice = self.decisions.among([image.digest for image in images])
        if choice is None:
            return None
        keeper, verdicts = files_of(choice, self._files(images))
        return {
            "keeper": images[keeper].number,
            "verdicts": {images[at].number: verdict for at, verdict in verdicts.items()},
        }

    def kept(self) -> dict[int, list[str]]:
        """Return the paths to keep of each decided group, the keeper first, for `twinpix.plan`."""
        out: dict[int, list[str]] = {}
        known = self.decisions.all()
        for group, images in self.index.by_group() if known else ():
            choice = choice_of([image.digest for image in images], known)
            if choice is None or state_of(choice) != "decided":
                continue
            out[group] = [images[at].path for at in kept_of(choice, self._files(images))]
        return out

    @property
    def complete(self) -> bool:
        """Whether all groups are there, with their decisions; raises the error that ended the reading of the report."""
        if self._error is not None:
            raise self._error
        if not self._recalled and self.index.complete:
            with self._lock:
                if not self._recalled:
                    self._recall()
                    self._recalled = True
        return self._recalled

    def wait(self) -> None:
        """Wait until all groups are there."""
        self._reading.join()
        _ = self.complete

    def _read(self) -> None:
        """Read the report, a large one in a process of its own."""
        index = os.path.join(self._folder, "index.sqlite")
        try:
            if _is_small(self.path):
                _index(self.path, index)
                return
            executor = Local(workers=1, timeout=_READ_SECONDS)
            ((_, lost),) = executor.map(BuildIndex(), [[(self.path, index)]])
            if isinstance(lost, Lost):
                raise WorkerError(f"the report cannot be read: {lost.reason}")
        except Exception as error:  # noqa: BLE001 - it is raised where the report is needed
            self._error = error

    def _wait_for_head(self) -> Head:
        """Return the facts about the report when its first groups are there; raises the errors of `report.read`."""
        while (head := self.index.head) is None:
            if not self._reading.is_alive() and (head := self.index.head) is None:
                raise self._error or WorkerError("the report cannot be read")
            time.sleep(_POLL_SECONDS)
        return Head(**json.loads(head))

    def _recall(self) -> None:
        """Note the groups that are decided already, now or with an earlier report."""
        known = self.decisions.all()
        groups = self.index.by_group() if known else ()
        states = {group: state_of(choice_of([image.digest for image in images], known)) for group, images in groups}
        self.index.set_states({group: state for group, state in states.items() if state}, only=True)
        self.note_acts()

    def note_acts(self) -> None:
        """Note the images that runs on this report have moved, replaced or deleted, and not undone."""
        try:
            acted = acted_on(self.path)
        except ReportError:  # an act is refused with the reason
            acted = set()
        rows = self.index.by_group() if acted else ()
        self.index.set_acted(
            image.number
            for _, images in rows
            for image in images
            if not is_uri(image.path) and absolute(self.head.base, image.path) in acted
        )


def _place_of(number: int, images: Sequence[Image]) -> int:
    return next(at for at, image in enumerate(images) if image.number == number)


def _number_of(path: str | None, images: Sequence[Image]) -> int | None:
    return next((image.number for image in images if image.path == path), None)
