"""Record the output of imgdupes for the calls of tests/imgdupes_cases.py, on the folder that is drawn there.

usage: record_imgdupes.py OUTPUT --imgdupes-bin FILE

Run it in an environment with the dependencies of the tests. imgdupes lists files in a different order in each run; a
call whose output depends on the order is refused. Its stderr is not recorded.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from imgdupes_cases import Case, cases, draw_folder, shape

ORDERS = ("0", "1", "2")  # seeds of Python's hashes, which determine the order of files in imgdupes


def record(program: Path, folder: Path) -> dict[str, dict[str, object]]:
    """Exit code and stdout of each call, by its key."""
    out: dict[str, dict[str, object]] = {}
    for case in cases():
        answers = [ask(program, folder, case, seed) for seed in ORDERS]
        if any(answer != answers[0] for answer in answers):
            raise SystemExit(f"{case.key}: imgdupes does not answer the same each time")
        out[case.key] = {"exit": answers[0][0], "stdout": answers[0][1]}
    return out


def ask(program: Path, folder: Path, case: Case, seed: str) -> tuple[int, str]:
    done = subprocess.run(
        [program, *case.arguments],
        cwd=folder,
        input=case.typed,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONHASHSEED": seed},
    )
    if "Traceback" in done.stderr:
        raise SystemExit(f"{case.key}: imgdupes failed:\n{done.stderr}")
    return done.returncode, shape(case, done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description="Record what imgdupes prints.")
    parser.add_argument("output", type=Path)
    parser.add_argument("--imgdupes-bin", type=Path, required=True)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as top:
        draw_folder(Path(top))
        found = record(asked.imgdupes_bin.absolute(), Path(top))
    asked.output.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{len(found)} calls recorded: {asked.output}")


if __name__ == "__main__":
    main()
