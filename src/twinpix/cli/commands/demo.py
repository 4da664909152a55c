"""`twinpix demo`."""

import shlex
from typing import Annotated

import typer

from twinpix.errors import Exit, UsageError
from twinpix.ui.program import program


def demo(folder: Annotated[str, typer.Argument(metavar="DIR", help="A new folder.")]) -> int:
    """Draw a folder of example images with edited copies, to try twinpix on."""
    from twinpix.evaluation.demo import make_demo

    try:
        count = make_demo(folder)
    except FileExistsError:
        raise UsageError(f"{folder} already exists: name a new folder") from None
    except OSError as error:
        raise UsageError(f"cannot make {folder}: {error.strerror}") from None
    print(f"{count} files drawn in {folder}\nnext: {program()} find {shlex.quote(folder)}")
    return Exit.DONE
