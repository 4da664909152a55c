"""The command that started this program."""

import os
import shutil
import sys
from pathlib import Path


def program() -> str:
    """Return the command that started this program, as a user would type it."""
    started = sys.argv[0] if sys.argv else ""
    if not Path(started).name.startswith("twinpix"):
        return "python -m twinpix"
    if shutil.which("twinpix"):
        return "twinpix"
    return os.path.relpath(started) if Path(started).is_absolute() else started
