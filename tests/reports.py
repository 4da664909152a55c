"""Reports as plain data, to compare runs."""

import json
import tempfile
from pathlib import Path
from typing import Any

import twinpix


def plain(report: twinpix.Report) -> dict[str, Any]:
    """A report without the times of the run."""
    with tempfile.TemporaryDirectory() as folder:
        report.save(Path(folder, "r.json"))
        rows = json.loads(Path(folder, "r.json").read_text(encoding="utf-8"))
    return {name: value for name, value in rows.items() if name not in ("created", "search")}
