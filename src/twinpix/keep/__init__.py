"""Keep rules: which member of a group is the keeper; pure functions, chained as tie-breakers."""

from twinpix.keep.base import DEFAULT, Chain, Rule, make_chain

__all__ = ["DEFAULT", "Chain", "Rule", "make_chain"]
