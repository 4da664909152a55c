"""What is better said before the work than after."""

from twinpix import actions, report
from twinpix.actions import Scope
from twinpix.compat.remove_duplicates import encodings
from twinpix.compat.remove_duplicates.datasets import data_sets
from twinpix.compat.remove_duplicates.options import Options
from twinpix.errors import RefusedError


def check(options: Options) -> None:
    """Raise what the work would raise at its end: that nothing can be moved, shown or written where it is to go."""
    if options.encodings_out is not None:
        report.require_folder(encodings.target(options.encodings_out))
    if options.encodings_only:
        return
    if options.display_duplicates:
        from twinpix.plots import figure

        figure.require_library()
    scope = Scope([each.root for each in data_sets(options)], [])
    try:
        actions.make("move", {"to": options.duplicates}).prepare(scope, apply=False)
    except RefusedError as error:
        raise RefusedError(f"{error} (--duplicates-dir)") from None
