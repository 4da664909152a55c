"""What a rule offers, and the chain of them."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, cast

from twinpix import plugins
from twinpix.model import Member

DEFAULT = (
    "frames,thumbnail,colour,unaltered,palette,depth,alpha,original,camera,place,resolution,sound,plain,filesize,path"
)
"""First what an image shows that another does not, then what its file says of it, then its size and name."""


class Rule(Protocol):
    """Orders members: the one with the smallest key stays.

    One that reads what the pixels show (`Member.altered`, the colour of a JPEG) says `looks: ClassVar[bool] = True`.
    """

    def key(self, member: Member) -> Any:
        """A value that sorts before another's when this member is rather kept."""

    def reason(self, member: Member, other: Member) -> str:
        """Why this member stays and not the other, when this rule decided."""


class Chain(NamedTuple):
    """Rules in order; before all of them, an intact picture stays before a damaged one, then a reference."""

    rules: Sequence[Rule]

    def key(self, member: Member) -> tuple[Any, ...]:
        ranks = tuple(rule.key(member) for rule in self.rules)
        return (member.damaged, not member.reference, *ranks, len(member.path), member.path)

    @property
    def looks(self) -> bool:
        """Whether a rule reads what the pixels show, so that they must be looked at."""
        return any(getattr(rule, "looks", False) for rule in self.rules)

    def reason(self, keeper: Member, others: Sequence[Member]) -> str:
        """What sets the keeper apart from the second best, the first of `others`."""
        second = others[0]
        if second.damaged and not keeper.damaged:
            return "the only one undamaged"
        if keeper.reference and not second.reference:
            return "in the reference folder"
        for rule in self.rules:
            if rule.key(second) != rule.key(keeper):
                return rule.reason(keeper, second)
        return "first of equals by path"


def make_chain(text: str) -> Chain:
    """Rules by name, separated by commas; a rule's one option may follow a colon (`path:*/originals/*`).

    A comma inside a pattern stays part of it unless a rule's name follows.
    """
    items: list[str] = []
    for part in text.split(","):
        if items and ":" in items[-1] and not plugins.exists("keep", part.strip().partition(":")[0]):
            items[-1] += f",{part}"
        elif part.strip():
            items.append(part.strip())
    return Chain([_rule(item) for item in items])


def _rule(item: str) -> Rule:
    name, colon, value = item.partition(":")
    fields = list(plugins.options(plugins.load("keep", name)))
    if colon and len(fields) == 1:
        return cast(Rule, plugins.build("keep", name, {fields[0]: value.removeprefix(f"{fields[0]}=")}))
    return cast(Rule, plugins.make("keep", item))
