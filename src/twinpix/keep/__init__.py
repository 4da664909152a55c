"""Which member of a group stays: pure rules, chained as tie-breakers."""

from twinpix.keep.base import DEFAULT, Chain, Rule, make_chain

__all__ = ["DEFAULT", "Chain", "Rule", "make_chain"]
