"""Go through the groups of a report in the terminal: the user chooses by number which images to keep."""

import io
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from twinpix.act.decisions import Decisions, Verdict, decided, files_in, kept_by, kept_of
from twinpix.act.sidecars.notes import CompanionNotes
from twinpix.cli.confirming import DialogueEnd
from twinpix.errors import StoppedError, UsageError
from twinpix.model import Group, Member, Report, locate
from twinpix.progress.terminal import LineProgress
from twinpix.report.text import how
from twinpix.text import bytes_text, plural, printable

if TYPE_CHECKING:
    from twinpix.encoding.options import Options

_HELP = """  Enter      keep the marked images; the others are duplicates
  2  1,3  2-4  keep the images with these numbers; the others are duplicates
  a          keep all
  n          not duplicates: keep all, and never group them again
  n 2,3      2 and 3 are not duplicates of the others: keep them, and never group them with the others again
  s          skip: decide later
  b          back to the previous group
  q          quit: the plan of the decided groups is shown for confirmation; run the same command to continue
"""
_DRAWN = 12  # images of a group that are drawn


class Closed(Exception):  # noqa: N818 - the end of the answers is no error
    """The end of the input."""


class Quit(Closed):
    """The user has quit."""


class Answer(NamedTuple):
    """The choice for a group, by indices from 0; without any, the group is decided later."""

    keep: Sequence[int] = ()  # the keeper first
    excluded: Sequence[int] = ()  # not duplicates of the others; all indices: not duplicates of one another
    back: bool = False


class Dialogue(NamedTuple):
    """Asks for each group which images to keep."""

    report: Report
    choices: "Choices"
    show: Callable[[Sequence[str]], None] | None  # draws images
    companions: CompanionNotes

    def walk(self) -> DialogueEnd:
        """Ask from the first undecided group on; ends after the last group, or when the user quits."""
        groups = self.report.groups
        place = self._find_undecided(0)
        if before := len(self.choices.kept):
            print(f"{plural(before, 'group')} decided before")
        while place < len(groups):
            group = groups[place]
            sys.stdout.write("".join(f"{line}\n" for line in self._screen(group, place)))
            if self.show:
                sys.stdout.flush()
                self.show([member.path for member in group.members])
            try:
                back = self._decide(group)
            except Closed as end:
                return DialogueEnd.USER_QUIT if isinstance(end, Quit) else DialogueEnd.INPUT_ENDED
            place = max(0, place - 1) if back else self._find_undecided(place + 1)
        print("\nno more groups")
        return DialogueEnd.ALL_DECIDED

    def _find_undecided(self, start: int) -> int:
        """Return the index of the first undecided group from `start` on."""
        groups = self.report.groups
        return next((at for at in range(start, len(groups)) if groups[at].id not in self.choices.kept), len(groups))

    def _find_marked(self, group: Group) -> list[int]:
        """Return the indices of the images to keep: as chosen before, else of the keeper."""
        place = {member.path: at for at, member in enumerate(group.members)}
        return [place[path] for path in self.choices.kept.get(group.id, [group.keeper])]

    def _screen(self, group: Group, place: int) -> Iterator[str]:
        size = bytes_text(group.bytes_reclaimable)
        count = f"{place + 1:,} of {len(self.report.groups):,}"
        yield f"\nGroup {count}: {plural(len(group.members), 'image')}, {size} to reclaim\n"
        pairs = group.to_keeper
        kept = set(self._find_marked(group))
        stay = [member.path for at, member in enumerate(group.members) if at in kept]
        rows = [_cells(at, member, at in kept) for at, member in enumerate(group.members)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row, member in zip(rows, group.members, strict=True):
            keeps = member.path == group.keeper
            reason = group.reason if keeps else how(pairs.get(member.path), self.report.unit)
            cells = "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
            notes = "".join(f", {word}" for word in ("reference", "damaged") if getattr(member, word))
            yield f"  {cells}  {printable(member.path)}  ({reason}{notes})"
            if with_it := self.companions.of(member.path, stay):
                yield f"  {'':{widths[0]}}  with {', '.join(map(printable, with_it))}"
        yield ""

    def _decide(self, group: Group) -> bool:
        """Ask until there is a valid answer, and store it; returns True for going back."""
        marked = self._find_marked(group)
        while True:
            given = _ask(_prompt(marked))
            answer = _understood(given, group, marked)
            if answer is None:
                sys.stdout.write(_HELP if given == "?" else f"not understood: {printable(given)} (? for help)\n")
                continue
            if answer.back:
                return True
            if not answer.keep:
                self.choices.drop(group)
            elif note := self.choices.keep(group, answer):
                print(f"  {note}")
            return False


class Choices:
    """The paths to keep of each decided group; every decision is stored at once.

    These are the decisions of `twinpix review`, by content: they hold for later reports too.
    """

    def __init__(self, report: Report, decisions: Decisions, *, stored: bool) -> None:
        self.kept = {number: paths for number, paths in kept_by(decisions, report).items() if paths}
        self._base = report.base
        self._decisions = decisions
        self._stored = stored

    @property
    def how_to_continue(self) -> str:
        """What a user who stops is told; "" if there are no decisions that the next run knows."""
        return "; the decisions are stored: run the same command to continue" if self.kept and self._stored else ""

    def keep(self, group: Group, answer: Answer) -> str:
        """Store a decision; returns what the user is told about pairs that are marked, "" if there are none."""
        keeper, *others = answer.keep
        excluded = set(answer.excluded)
        files = files_in(group, self._base)
        choice = decided(files, keeper, {at: Verdict.APART if at in excluded else Verdict.BOTH for at in others})
        self.kept[group.id] = [group.members[at].path for at in kept_of(choice, files)]
        try:
            batch = self._decisions.decide([([file.digest for file in files], choice)], f"group {group.id}")
        except UsageError as error:
            return f"kept, but not remembered: {error}"
        if not others:
            return ""
        if not self._stored:
            return "kept; without a store this is not remembered"
        if count := self._decisions.excluded(batch):
            return f"kept and remembered: {plural(count, 'pair')} will not be found together again"
        return "kept; files with equal bytes are always found together, and stay decided"

    def drop(self, group: Group) -> None:
        """Make a group undecided again."""
        if self.kept.pop(group.id, None) is not None:
            digests = [file.digest for file in files_in(group, self._base)]
            self._decisions.clear([digests], f"group {group.id} undecided")


class Decided(NamedTuple):
    """The decisions of a user."""

    kept: Mapping[int, Sequence[str]]  # paths to keep by the number of the group
    end: DialogueEnd
    how_to_continue: str  # for a message, or ""


def ask_user(report: Report, options: "Options", *, show: bool) -> Decided:
    """Ask a user about the groups of a report."""
    from twinpix.encoding.session import open_store

    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="surrogateescape")  # bytes that are no text become an invalid answer
    draw = partial(_draw, report) if show else None
    with open_store(options, LineProgress()) as store, closing(Decisions.of(store)) as decisions:
        choices = Choices(report, decisions, stored=store.path is not None)
        try:
            end = Dialogue(report, choices, draw, CompanionNotes(report.base)).walk()
        except KeyboardInterrupt:
            raise StoppedError(f"stopped{choices.how_to_continue}") from None
    if choices.kept:
        print(f"{plural(len(choices.kept), 'group')} of {len(report.groups):,} decided\n")
    return Decided(choices.kept, end, choices.how_to_continue)


def _draw(report: Report, paths: Sequence[str]) -> None:
    from twinpix.ui import inline

    places = [locate(report.base, path) for path in paths[:_DRAWN]]
    inline.show(places, sys.stdout.buffer, size=(240, 180), space=4)
    if len(paths) > _DRAWN:
        print(f"only the first {_DRAWN} of {len(paths):,} are drawn")


def _cells(place: int, member: Member, kept: bool) -> tuple[str, ...]:
    mark = "keep" if kept else "stay" if member.protected else ""
    size = f"{member.width}×{member.height}"
    return f"[{place + 1}]", mark, size, bytes_text(member.size), _when(member.mtime_ns)


def _when(mtime_ns: int) -> str:
    try:
        when = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=mtime_ns // 1000)
        return when.astimezone().strftime("%Y-%m-%d %H:%M")
    except (ValueError, OverflowError, OSError):
        return "?"  # a time outside the calendar, or that this system cannot represent


def _prompt(marked: Sequence[int]) -> str:
    return f"keep [{_ranges(marked)}], other numbers, a)ll, n)ot duplicates, s)kip, b)ack, q)uit, ?: "


def _ask(prompt: str) -> str:
    sys.stdout.write(prompt)
    sys.stdout.flush()
    line = sys.stdin.readline()
    if not line:
        sys.stdout.write("\n")
        raise Closed
    return line.strip().lower()


def _ranges(places: Sequence[int]) -> str:
    """Return indices as they are typed: `1,3-5`."""
    runs: list[list[int]] = []
    for place in sorted(places):
        if runs and place == runs[-1][-1] + 1:
            runs[-1].append(place)
        else:
            runs.append([place])
    return ",".join(f"{run[0] + 1}-{run[-1] + 1}" if len(run) > 1 else f"{run[0] + 1}" for run in runs)


def _understood(given: str, group: Group, marked: Sequence[int]) -> Answer | None:
    """Parse an answer; returns None if it is invalid."""
    everything = range(len(group.members))
    word, _, rest = given.partition(" ")
    if given == "":
        return Answer(keep=marked)
    if given in ("a", "all"):
        return Answer(keep=everything)
    if word in ("n", "not", "no"):
        chosen = _places(rest, len(group.members)) if rest else everything
        return Answer(keep=_kept_beside(group, chosen, marked), excluded=chosen) if chosen else None
    if given in ("s", "skip"):
        return Answer()
    if given in ("b", "back"):
        return Answer(back=True)
    if given in ("q", "quit"):
        raise Quit
    places = _places(given, len(group.members))
    return Answer(keep=places) if places else None


def _kept_beside(group: Group, excluded: Sequence[int], marked: Sequence[int]) -> list[int]:
    """Return what to keep if some are not duplicates of the others: these, the marked ones, and at least one other.

    That one is first, because the others are its duplicates and not those of an image that is not a duplicate.
    """
    digests = {group.members[at].digest for at in excluded}
    others = [at for at, member in enumerate(group.members) if member.digest not in digests]
    first = [at for at in marked if at in others] or others[:1]
    return list(dict.fromkeys([*first, *excluded, *marked]))


def _places(text: str, count: int) -> list[int]:
    """Return the indices, from 0, of `2`, `1,3` or `2-4`; none if one of them does not exist."""
    found: set[int] = set()
    for part in text.replace(",", " ").split():
        first, dash, last = part.partition("-")
        last = last if dash else first
        if not first.isdecimal() or not last.isdecimal() or len(part) > 20:
            return []
        numbers = range(int(first), int(last) + 1)
        if not numbers or numbers[0] < 1 or numbers[-1] > count:
            return []
        found.update(number - 1 for number in numbers)
    return sorted(found)
