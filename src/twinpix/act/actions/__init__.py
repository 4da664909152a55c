"""What may be done with the members of a group that go, or with those that stay: one file each."""

from twinpix.act.actions.base import Action, Scope, make, of, options_of

__all__ = ["Action", "Scope", "make", "of", "options_of"]
