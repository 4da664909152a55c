"""Decide many groups at once: by the keepers of the report, or by keep rules, under conditions."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from twinpix import keep, plugins
from twinpix import report as reports
from twinpix.act.regroup import decide_again
from twinpix.errors import ReportError, UsageError
from twinpix.executors import Begin

LEAST = 20
"""Groups that a preview names: those whose copies are the least certain."""


class Rule(NamedTuple):
    """How groups are decided.

    `only`: relations to the keeper; groups with an image of another one are left out. `below`: folder that all images
    to discard are in. `more_pixels`: the keeper has more pixels than each other image. `keep`: keep rules that choose
    the keeper; "" for the keeper of the report.
    """

    only: tuple[str, ...] = ()
    below: str = ""
    more_pixels: bool = False
    keep: str = ""


class Decided(NamedTuple):
    """What a rule decides, or would decide."""

    groups: int
    images: int  # to discard
    bytes: int
    left_out: int  # groups of the list that do not meet the conditions
    changed: int  # of them, groups of which a file has changed or is gone
    least: list[int]  # groups of which the copies are the least certain


@dataclass(frozen=True, slots=True)
class ChooseKeepers:
    """Chooses the keepers of a report by keep rules, in a process of its own.

    Returns for each rule the path of the keeper by the number of the group, without the groups that would be split: of
    the images of a group, not all are copies of each other one. An unknown rule gives its reason.
    """

    path: str

    def __call__(self, batch: Sequence[str], begin: Begin) -> list[dict[int, str] | str]:
        begin(0)
        return [self._keepers(rules) for rules in batch]

    def _keepers(self, rules: str) -> dict[int, str] | str:
        try:
            report = reports.read(self.path)
            again = decide_again(report, rules)
        except (UsageError, ReportError) as error:
            return str(error)
        chosen = {frozenset(member.path for member in group.members): group.keeper for group in again.groups}
        members = ((group.id, frozenset(member.path for member in group.members)) for group in report.groups)
        return {number: chosen[paths] for number, paths in members if paths in chosen}


def meets(rule: Rule, keeper: int, images: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether a rule may decide a group with this keeper."""
    kept = next(image for image in images if image["number"] == keeper)
    others = [image for image in images if image["number"] != keeper]
    if rule.only and any(image["relation"] not in ("", *rule.only) for image in images):
        return False
    if rule.below and not all(is_below(str(image["name"]), rule.below) for image in others):
        return False
    return not rule.more_pixels or all(_pixels(image) < _pixels(kept) for image in others)


def is_below(name: str, folder: str) -> bool:
    folder = folder.rstrip("/" + os.sep)
    return name.startswith((folder + "/", folder + os.sep))


def _pixels(image: Mapping[str, Any]) -> int:
    return int(image["width"]) * int(image["height"])


def rules_of(current: str) -> dict[str, Any]:
    """Return what the page shows of the keep rules: those of the report in their order, and all with their words."""
    names = {name: plugins.load("keep", name) for name in plugins.own("keep")}
    words = {name: plugins.summary_of(rule) for name, rule in names.items()}
    return {"keep": (current or keep.DEFAULT).split(","), "keep_rules": words}
