"""Go through the groups of a report in the terminal: the user chooses by number which images to keep."""

import io
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from twinpix.act.choices import Choices
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
    choices: Choices
    show: Callable[[Sequence[str]], None] | None  # draws images
    memory: "Memory"
    companions: CompanionNotes

    def walk(self) -> DialogueEnd:
        """Ask from the first undecided group on; ends after the last group, or when the user quits."""
        groups = self.report.groups
        place = self._find_undecided(0)
        if decided := len(self.choices.kept) - len(self.choices.recalled):
            print(f"{plural(decided, 'group')} decided before ({self.choices.path})")
        if recalled := len(self.choices.recalled):
            print(f"{plural(recalled, 'group')} kept completely before, with an earlier report")
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
            self.memory.let_go(group)
            if answer.excluded:
                print(f"  {self.memory.exclude(group, answer.excluded)}")
            if answer.keep:
                self.choices.keep(group.id, [group.members[at].path for at in answer.keep])
            else:
                self.choices.drop(group.id)
            return False


class Memory:
    """Stores which images are not duplicates."""

    def __init__(self, options: "Options") -> None:
        self._options = options
        self._held: dict[int, tuple[list[str], list[str]]] = {}  # pairs stored for a group in this run

    def exclude(self, group: Group, places: Sequence[int]) -> str:
        """Store that these images are not duplicates of the others, or of one another if there are no others."""
        from twinpix.encoding.session import open_store
        from twinpix.match import exclusions

        if self._options.store is None:
            return "kept; without a store this is not remembered"
        excluded = {group.members[at].digest for at in places}
        others = {member.digest for at, member in enumerate(group.members) if at not in set(places)}
        held = sorted(excluded), sorted(others)
        with open_store(self._options, LineProgress()) as store:
            try:
                count = exclusions.remember(store, *held)
            except UsageError as error:
                return f"kept, but not remembered: {error}"
            if store.path is None:
                return "kept; the store cannot be used, so this is not remembered"
        self._held[group.id] = held
        if not count:
            return "kept; files with equal bytes are always duplicates, so this cannot be stored"
        return f"kept and remembered: {plural(count, 'pair')} will not be found together again"

    def let_go(self, group: Group) -> None:
        """Delete what was stored for a group, because the user has gone back to it."""
        from twinpix.encoding.session import open_store
        from twinpix.match import exclusions

        if held := self._held.pop(group.id, None):
            with open_store(self._options, LineProgress()) as store:
                exclusions.forget(store, *held)


class Decided(NamedTuple):
    """The decisions of a user."""

    kept: Mapping[int, Sequence[str]]  # paths to keep by the number of the group
    end: DialogueEnd
    path: str  # the file of the choices


def ask_user(report: Report, path: str, options: "Options", *, show: bool) -> Decided:
    """Ask a user about the groups of a report."""
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="surrogateescape")  # bytes that are no text become an invalid answer
    choices = Choices.beside(report, path)
    if choices.refused:
        print(f"{printable(choices.refused)}; starting without it")
    draw = partial(_draw, report) if show else None
    try:
        end = Dialogue(report, choices, draw, Memory(options), CompanionNotes(report.base)).walk()
    except KeyboardInterrupt:
        kept = f"; the choices are in {choices.path}; run the same command to continue" if choices.kept else ""
        raise StoppedError(f"stopped{kept}") from None
    if choices.kept:
        print(f"{plural(len(choices.kept), 'group')} of {len(report.groups):,} decided\n")
    return Decided(choices.kept, end, choices.path)


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
