"""The interface of a keep rule, and the chain of rules."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, cast

from twinpix import plugins
from twinpix.model import Member

DEFAULT = (
    "frames,thumbnail,colour,unaltered,palette,depth,alpha,original,camera,place,resolution,sound,plain,filesize,path"
)
"""Default rules: completeness and edits first, then metadata, then size and name."""


class Rule(Protocol):
    """A rule that orders members: the member with the smallest key is the keeper.

    A rule that needs the pixels (`Member.altered`, the colour of a JPEG) declares
    `reads_pixels: ClassVar[bool] = True`. The tests of all rules have members of many kinds; a rule that distinguishes
    no two of them declares two that it distinguishes, the better one first: `example: ClassVar[tuple[Member, Member]]`.
    """

    def key(self, member: Member) -> Any:
        """Return a value that is smaller for members that are preferred."""

    def reason(self, member: Member, other: Member) -> str:
        """Return why this rule prefers a member to another one."""


class Decision(NamedTuple):
    """The rule that chose a keeper before the second best, and why in words."""

    rule: str  # its name; `intact`, `reference` or `order` if no rule decided
    reason: str


class Chain(NamedTuple):
    """Rules in order. Before all rules, intact images precede damaged ones, and references precede others."""

    rules: Sequence[Rule]

    def key(self, member: Member) -> tuple[Any, ...]:
        ranks = tuple(rule.key(member) for rule in self.rules)
        return (member.damaged, not member.reference, *ranks, len(member.path), member.path)

    @property
    def reads_pixels(self) -> bool:
        """True if a rule needs the pixels, which are then decoded and compared."""
        return any(getattr(rule, "reads_pixels", False) for rule in self.rules)

    def explain(self, keeper: Member, others: Sequence[Member]) -> Decision:
        """Return which rule prefers the keeper to the second best, the first of `others`."""
        second = others[0]
        if second.damaged and not keeper.damaged:
            return Decision("intact", "the only one undamaged")
        if keeper.reference and not second.reference:
            return Decision("reference", "in the reference folder")
        for rule in self.rules:
            if rule.key(second) != rule.key(keeper):
                return Decision(plugins.name_of(rule), rule.reason(keeper, second))
        return Decision("order", "first by path among equals")


def make_chain(text: str) -> Chain:
    """Parse the names of rules, separated by commas; an option may follow a colon (`path:*/originals/*`).

    A comma is part of a pattern unless the name of a rule follows.
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
