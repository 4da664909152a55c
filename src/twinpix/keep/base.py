"""What a rule offers, and the chain of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

from twinpix import plugins
from twinpix.model import Member

DEFAULT = "resolution,filesize,path"


class Rule(Protocol):
    """Orders members: the one with the smallest key stays."""

    def key(self, member: Member) -> Any:
        """A value that sorts before another's when this member is rather kept."""

    def reason(self, member: Member) -> str:
        """Why this member stays, when this rule decided."""


@dataclass(frozen=True, slots=True)
class Chain:
    """Rules in order; before all of them, a reference stays and an intact picture stays before a damaged one."""

    rules: Sequence[Rule]

    def key(self, member: Member) -> tuple[Any, ...]:
        ranks = tuple(rule.key(member) for rule in self.rules)
        return (not member.reference, member.damaged, *ranks, len(member.path), member.path)

    def reason(self, keeper: Member, others: Sequence[Member]) -> str:
        """The first rule that sets the keeper apart from the second best, the first of `others`."""
        if keeper.reference:
            return "in the reference folder"
        rivals = [other for other in others if not other.damaged]
        if not keeper.damaged and not rivals:
            return "the only one undamaged"
        for rule in self.rules:
            mine = rule.key(keeper)
            if rivals and rule.key(rivals[0]) != mine:
                return rule.reason(keeper)
        return "first of equals by path"


def make_chain(text: str) -> Chain:
    """Rules by name, separated by commas; a rule's one option may follow a colon (`path:*/originals/*`)."""
    return Chain([_rule(item.strip()) for item in text.split(",") if item.strip()])


def _rule(item: str) -> Rule:
    name, colon, value = item.partition(":")
    if colon and "=" not in value:
        fields = list(plugins.options(plugins.load("keep", name)))
        if len(fields) == 1:
            item = f"{name}:{fields[0]}={value}"
    return cast(Rule, plugins.make("keep", item))
