"""Display the images of a set in the terminal."""

import os
import sys
from collections.abc import Sequence

from twinpix.compat.imgdupes.options import Options


def check(options: Options) -> None:
    """Raise `UsageError` for an invalid size, colour or interpolation, or for a terminal that cannot display images."""
    if options.imgcat:
        from twinpix.ui import inline

        inline.parse_size(options.size)
        inline.check(options.space_color, options.interpolation)
        inline.detect(os.environ)


def show(paths: Sequence[str], options: Options) -> None:
    """Display the images side by side, if requested (`--imgcat`)."""
    if not options.imgcat:
        return
    from twinpix.ui import inline

    sys.stdout.flush()
    inline.show(
        list(paths),
        sys.stdout.buffer,
        size=inline.parse_size(options.size),
        space=options.space,
        space_color=options.space_color,
        columns=options.tile_num,
        interpolation=options.interpolation,
        keep_aspect=not options.no_keep_aspect,
    )
    sys.stdout.buffer.flush()
