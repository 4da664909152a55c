"""Actions, one per file: on the duplicates of groups, or on their keepers."""

from twinpix.act.actions.base import Action, Scope, make, of, options_of

__all__ = ["Action", "Scope", "make", "of", "options_of"]
