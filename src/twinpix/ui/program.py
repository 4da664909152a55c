"""How this program was started."""

import os
import shutil
import sys
from pathlib import Path


def program() -> str:
    """How this program was started, as a user would type it again."""
    started = sys.argv[0] if sys.argv else ""
    if not Path(started).name.startswith("twinpix"):
        return "python -m twinpix"
    if shutil.which("twinpix"):
        return "twinpix"
    return os.path.relpath(started) if Path(started).is_absolute() else started
