"""Photos for whole runs, and reports as plain data, to compare runs."""

import json
import tempfile
from pathlib import Path
from typing import Any

import twinpix
from reviewing import copies


def plain(report: twinpix.Report) -> dict[str, Any]:
    """A report without the times of the run."""
    with tempfile.TemporaryDirectory() as folder:
        report.save(Path(folder, "r.json"))
        rows = json.loads(Path(folder, "r.json").read_text(encoding="utf-8"))
    return {name: value for name, value in rows.items() if name not in ("created", "search")}


def copies_and_a_broken_image(folder: Path, count: int) -> Path:
    """Make a folder with copies of `count` images, and with a JPEG that cannot be decoded; return it."""
    copies(folder, count)
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 broken")
    return folder
