"""A folder of copies, and a server of `twinpix review` on its report, as a user starts it."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
from PIL import Image, ImageEnhance, ImageOps

import twinpix
from drawings import draw

KINDS = ("scene", "street", "landscape", "portrait", "table")


class Served(NamedTuple):
    """A running server."""

    process: subprocess.Popen[str]
    link: str  # with the token

    @property
    def base(self) -> str:
        return self.link.partition("/?")[0]

    @staticmethod
    def head(client: httpx.Client) -> dict[str, Any]:
        """What the page shows of the report, when it is there."""
        while "finding" in (head := client.get("/api/head").json()):
            assert not head["finding"]["error"]
            time.sleep(0.1)
        return dict(head)

    @contextlib.contextmanager
    def client(self, *, ready: bool = True) -> Iterator[httpx.Client]:
        """A client that has opened the link, as a browser does; if `ready`, there is a report."""
        with httpx.Client(base_url=self.base, timeout=60, headers={"origin": self.base}) as client:
            assert client.get(self.link).status_code == 303
            if ready:
                self.head(client)
            yield client


def copies(folder: Path, groups: int) -> None:
    """Write images with two edited copies each, the last one with one: resized, cropped, mirrored, and so on."""
    folder.mkdir()
    for number in range(groups):
        image = draw(KINDS[number % len(KINDS)], 40 + number, (480, 360))
        edits = [
            image.resize((240, 180)),
            image.crop((40, 30, 460, 340)),
            ImageOps.mirror(image),
            image.rotate(90, expand=True),
            ImageEnhance.Brightness(image).enhance(0.7),
        ]
        image.save(folder / f"{number:02} original.png")
        for at in (number, number + 2)[: 1 if number == groups - 1 else 2]:
            edits[at % len(edits)].save(folder / f"{number:02} edit {at % len(edits)}.jpg", quality=90)


def make_report(base: Path, groups: int = 5) -> Path:
    """Return the report on a folder of copies."""
    copies(base / "photos", groups)
    found = twinpix.find(base / "photos", store=None)
    assert len(found.groups) == groups
    found.save(base / "report.json")
    return base / "report.json"


@contextlib.contextmanager
def served(report: Path, *options: str, env: dict[str, str] | None = None) -> Iterator[Served]:
    """Run the server in the folder of the report, or of the folder to search, with a store beside it."""
    command = [sys.executable, "-m", "twinpix", "review", report.name, "--no-open", "--store", "store.sqlite", *options]
    process = subprocess.Popen(
        command, cwd=report.parent, stdout=subprocess.PIPE, text=True, env=os.environ | (env or {})
    )
    try:
        assert process.stdout is not None
        line = next((line for line in process.stdout if line.startswith("review:")), "")
        found = re.search(r"http://\S+", line)
        assert found, line
        yield Served(process, found.group())
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(20)
        process.kill()
        process.communicate()


def pixels(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size
