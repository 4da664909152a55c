"""Actions on the duplicates or the keepers of groups, one per module."""

from twinpix.act.actions.base import Action, Scope, make, of, options_of

__all__ = ["Action", "Scope", "make", "of", "options_of"]
