"""Walk through the groups of a report in the terminal: what stays of each is chosen by number."""

import os
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from twinpix.errors import StoppedError
from twinpix.model import Group, Member, Report
from twinpix.pipeline.choices import Choices
from twinpix.pipeline.terminal import NotesOnly
from twinpix.report import bytes_text, plural, printable
from twinpix.report.text import how

if TYPE_CHECKING:
    from twinpix.pipeline import Options

_HELP = """  Enter      keep what is marked, the others go
  2  1,3  2-4  keep these, the others go
  a          keep all
  n          they are not duplicates: keep all, and do not find them together again
  n 2,3      these are no duplicates of the others: keep them, and do not find them together again
  s          skip: decide later
  b          back to the group before
  q          quit: what was chosen is kept, and can be gone on with
"""
_DRAWN = 12  # images of a group
Remember = Callable[[Sequence[Member], Sequence[Member]], str]


class Closed(Exception):  # noqa: N818 - the end of the answers is no error
    """Nobody answers any more, or nobody wants to."""


class Answer(NamedTuple):
    """What was chosen for a group: the places, from 0, of what stays; or a step to another group."""

    keep: list[int] | None = None
    step: int = 1
    apart: list[int] | None = None  # places of those that are no duplicates; all for all


class Dialogue(NamedTuple):
    """Asks for each group what stays."""

    report: Report
    choices: Choices
    show: Callable[[Sequence[str]], None] | None  # draws images
    remember: Remember | None  # that images are not duplicates

    def walk(self) -> None:
        """Ask from the first group that is not decided on; ends with the last, or when the user quits."""
        groups = self.report.groups
        place = next((at for at, group in enumerate(groups) if group.id not in self.choices.kept), len(groups))
        if self.choices.kept:
            print(f"{plural(len(self.choices.kept), 'group')} decided before ({self.choices.path})")
        while 0 <= place < len(groups):
            group = groups[place]
            sys.stdout.write("".join(f"{line}\n" for line in self._screen(group, place)))
            if self.show:
                sys.stdout.flush()
                self.show([member.path for member in group.members])
            try:
                place = max(0, place + self._decide(group))
            except Closed:
                return
        print("\nno more groups")

    def _screen(self, group: Group, place: int) -> Iterator[str]:
        size = bytes_text(group.bytes_reclaimable)
        count = f"{place + 1:,} of {len(self.report.groups):,}"
        yield f"\nGroup {count}: {plural(len(group.members), 'image')}, {size} to reclaim\n"
        pairs = {match.b: match for match in group.matches if match.a == group.keeper}
        kept = self.choices.kept.get(group.id, [group.keeper])
        rows = [_cells(at, member, member.path in kept) for at, member in enumerate(group.members, start=1)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row, member in zip(rows, group.members, strict=True):
            told = group.reason if member.path == group.keeper else how(pairs.get(member.path))
            cells = "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
            notes = "".join(f", {word}" for word in ("reference", "damaged") if getattr(member, word))
            yield f"  {cells}  {printable(member.path)}  ({told}{notes})"
        yield ""

    def _decide(self, group: Group) -> int:
        """Ask until there is an answer, and act on it; returns the way to the next group to be asked for."""
        while True:
            given = _asked(_prompt(group))
            answer = _understood(given, group)
            if answer is None:
                sys.stdout.write(_HELP if given == "?" else f"not understood: {printable(given)} (? for help)\n")
                continue
            if answer.apart is not None:
                self._hold_apart(group, answer.apart)
            if answer.keep is not None:
                self.choices.keep(group.id, [group.members[at].path for at in answer.keep])
            return answer.step

    def _hold_apart(self, group: Group, places: Sequence[int]) -> None:
        apart = [group.members[at] for at in places]
        others = [member for member in group.members if member not in apart]
        told = self.remember(apart, others) if self.remember else "kept; without a store this cannot be remembered"
        print(f"  {told}")


def asked(report: Report, path: str, options: "Options", *, show: bool) -> Mapping[int, Collection[str]]:
    """Ask a user about the groups of a report; returns the paths that stay of each that was decided."""
    choices = Choices.beside(report, path)
    draw = partial(_draw, report) if show else None
    keeps = options.store is not None
    try:
        Dialogue(report, choices, draw, partial(_remember, options) if keeps else None).walk()
    except KeyboardInterrupt:
        raise StoppedError(
            f"stopped; what was chosen is in {choices.path}, the same command goes on from there"
        ) from None
    if choices.kept:
        print(f"{plural(len(choices.kept), 'group')} of {len(report.groups):,} decided\n")
    return choices.kept


def _remember(options: "Options", apart: Sequence[Member], others: Sequence[Member]) -> str:
    """Remember that images are no duplicates of the others, or of one another when there are no others."""
    from twinpix.pipeline import verdicts

    with options.opened(NotesOnly()) as store:
        count = verdicts.remember(store, [m.digest for m in apart], [m.digest for m in others])
    if not count:
        return "kept; files of the same bytes are the same picture, that cannot be remembered otherwise"
    return f"kept and remembered: {plural(count, 'pair')} will not be found together again"


def _draw(report: Report, paths: Sequence[str]) -> None:
    from twinpix.plots import inline

    places = [os.path.join(report.base, path) for path in paths[:_DRAWN]]
    inline.show(places, sys.stdout.buffer, size=(240, 180), space=4)


def _cells(number: int, member: Member, kept: bool) -> tuple[str, ...]:
    when = datetime.fromtimestamp(member.mtime_ns / 1e9).strftime("%Y-%m-%d %H:%M")
    mark = "keep" if kept else "stay" if member.protected else ""
    return f"[{number}]", mark, f"{member.width}×{member.height}", bytes_text(member.size), when


def _prompt(group: Group) -> str:
    marked = next((at for at, member in enumerate(group.members, start=1) if member.path == group.keeper), 1)
    return f"keep [{marked}], other numbers, a)ll, n)ot duplicates, s)kip, b)ack, q)uit, ?: "


def _asked(prompt: str) -> str:
    sys.stdout.write(prompt)
    sys.stdout.flush()
    line = sys.stdin.readline()
    if not line:
        sys.stdout.write("\n")
        raise Closed
    return line.strip().lower()


def _understood(given: str, group: Group) -> Answer | None:
    """What an answer means for a group; None for nothing."""
    everything = list(range(len(group.members)))
    word, _, rest = given.partition(" ")
    if given == "":
        return Answer(keep=[at for at in everything if group.members[at].path == group.keeper])
    if given in ("a", "all"):
        return Answer(keep=everything)
    if word in ("n", "not", "no"):
        chosen = _places(rest, len(group.members)) if rest else everything
        if not chosen:
            return None
        stay = sorted({*chosen, *(at for at in everything if group.members[at].path == group.keeper)})
        return Answer(keep=stay, apart=chosen)
    if given in ("s", "skip"):
        return Answer()
    if given in ("b", "back"):
        return Answer(step=-1)
    if given in ("q", "quit"):
        raise Closed
    places = _places(given, len(group.members))
    return Answer(keep=places) if places else None


def _places(text: str, count: int) -> list[int]:
    """The places, from 0, of `2`, `1,3` or `2-4`; none when one of them is not there."""
    found: set[int] = set()
    for part in text.replace(",", " ").split():
        first, _, last = part.partition("-")
        if not first.isdecimal() or not (last or first).isdecimal() or len(part) > 20:
            return []
        numbers = range(int(first), int(last or first) + 1)
        if not numbers or numbers[0] < 1 or numbers[-1] > count:
            return []
        found.update(number - 1 for number in numbers)
    return sorted(found)
