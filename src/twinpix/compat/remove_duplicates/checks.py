"""Checks before images are read, so that a long run does not fail at its end."""

import os
from collections.abc import Sequence

from twinpix import outputs
from twinpix.act import actions
from twinpix.act.actions import Scope
from twinpix.compat.remove_duplicates import encodings
from twinpix.compat.remove_duplicates.datasets import data_sets
from twinpix.compat.remove_duplicates.options import Options
from twinpix.errors import RefusedError


def check(options: Options) -> None:
    """Raise the error that the run would raise at its end: files cannot be moved, shown or written as requested."""
    if options.encodings_out is not None:
        kind = encodings.kind(options.encoding)
        outputs.require(encodings.target(options.encodings_out), kind, force=options.force)
    if options.encodings_only:
        return
    if options.display_duplicates:
        from twinpix.ui import figure

        figure.require_library()
    check_target([each.root for each in data_sets(options)], options.duplicates)


def check_target(roots: Sequence[str], duplicates: str) -> None:
    """Raise `RefusedError` if the duplicates folder, or the folder of a data set in it, is inside a data set.

    The parent folder of a data set is refused too: the folder of that data set in it is the data set itself.
    """
    scope = Scope(list(roots), [])
    for to in dict.fromkeys([duplicates, *(os.path.join(duplicates, os.path.basename(root)) for root in roots)]):
        try:
            actions.make("move", {"to": to}).prepare(scope, apply=False)
        except RefusedError as error:
            raise RefusedError(f"{error} (--duplicates-dir)") from None
