"""A run that is killed in the middle of an archive or table goes on behind what was stored."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import twinpix
from drawings import draw
from twinpix.sources.kinds.parquet import Parquet
from twinpix.sources.kinds.tar import Tar
from twinpix.sources.kinds.zip import Zip

COUNT, KILLED_AT = 80, 40
CHILD = """
import os, signal, sys
import twinpix
from twinpix import store
store._FLUSH_SECONDS = 0.0
def kill(stage, done, total):
    if stage == "read" and done >= int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)
twinpix.find(sys.argv[1], store=sys.argv[2], method="phash:size=16", workers=1, progress=kill)
"""


@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz", "a.zip", "a.parquet"])
def test_a_killed_run_goes_on_behind_what_was_stored(tmp_path: Path, name: str) -> None:
    images = {}
    for number in range(COUNT):
        draw("scene", 500 + number, (48, 36)).save(tmp_path / "one.png")
        images[f"{number:03}.png"] = (tmp_path / "one.png").read_bytes()
    source = {"a.tar": Tar, "a.tar.gz": Tar, "a.zip": Zip, "a.parquet": Parquet}[name]()
    source.write(str(tmp_path / name), images)
    command = [sys.executable, "-c", CHILD, str(tmp_path / name), str(tmp_path / "store.sqlite"), str(KILLED_AT)]
    killed = subprocess.run(command, env=dict(os.environ), capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL
    read: list[int] = []

    def note(stage: str, done: int, total: int) -> None:
        if stage == "read":
            read.append(total)

    options: dict[str, Any] = {"method": "phash:size=16", "workers": 1}
    again = twinpix.find(tmp_path / name, store=tmp_path / "store.sqlite", progress=note, **options)
    assert again.counts.images == COUNT
    assert 0 < max(read) <= COUNT - KILLED_AT + 8
    assert again.groups == twinpix.find(tmp_path / name, store=None, **options).groups
