"""Write the JSON Schema of reports into the package: run it after a change of `twinpix.model`.

usage: python docs/write_schema.py
"""

import json
from pathlib import Path

from twinpix.report.json import schema

FILE = Path(__file__).parents[1] / "src/twinpix/report/report-2.schema.json"

if __name__ == "__main__":
    FILE.write_text(json.dumps(schema(), indent=1) + "\n", encoding="utf-8")
