"""Time and memory of `twinpix review` in a browser: the first group, the next ones, server and page. Prints Markdown.

usage: review.py REPORT [--starts N] [--groups N] [--look SECONDS] [--browser FILE]

A report is opened in a new browser page `--starts` times, from the start of the command to its first group, and until
both images of that are drawn. Then the page goes through `--groups` groups by the keyboard, and each is timed until
both images are drawn. At each group it stays for `--look` seconds, in which the page fetches the neighbours.
Memory is the proportional set size of the server with its workers, and of the browser's process of the page.
"""

import argparse
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

DRAWN = """group => document.querySelector('.row[aria-selected=true]')?.id !== group
  && document.querySelectorAll('#stage img, #stage .notice').length > 1
  && [...document.querySelectorAll('#stage img')].every(
       image => image.complete && image.naturalWidth > 0 && !image.classList.contains('pending'))"""


@contextmanager
def server(report: str) -> Iterator[tuple[int, str]]:
    """Run the server with an empty store; its process and its link."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "twinpix", "review", report, "--no-open", "--store", f"{folder}/store"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        found = re.search(r"http://\S+", process.stdout.readline())
        assert found
        try:
            yield process.pid, found.group()
        finally:
            process.send_signal(signal.SIGINT)
            process.wait()


def memory(process: int) -> float:
    """The proportional set size of a process and its children, in MB."""
    children = subprocess.run(["pgrep", "-P", str(process)], capture_output=True, text=True, check=False).stdout.split()
    total = 0
    for each in (process, *map(int, children)):
        rows = Path(f"/proc/{each}/smaps_rollup").read_text(encoding="ascii").splitlines()
        total += next(int(row.split()[1]) for row in rows if row.startswith("Pss:"))
    return total / 1024


def page_memory() -> float:
    """The largest proportional set size of a renderer of the browser, in MB."""
    sizes = [0.0]
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if b"--type=renderer" in place.read_bytes():
                rows = (place.parent / "smaps_rollup").read_text(encoding="ascii").splitlines()
                sizes.append(next(int(row.split()[1]) for row in rows if row.startswith("Pss:")) / 1024)
        except (OSError, StopIteration):
            continue
    return max(sizes)


def next_group(page: Page, look: float) -> float:
    """Look at a group for some seconds, then go to the next one; return the milliseconds until that is drawn."""
    page.wait_for_timeout(1000 * look)
    before: Any = page.evaluate("document.querySelector('.row[aria-selected=true]').id")
    begin = time.perf_counter()
    page.keyboard.press("j")
    while not page.evaluate(f"({DRAWN})({before!r})"):
        page.wait_for_timeout(2)
    return 1000 * (time.perf_counter() - begin)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("report")
    parser.add_argument("--starts", type=int, default=5)
    parser.add_argument("--groups", type=int, default=50)
    parser.add_argument("--look", type=float, default=1.0, help="seconds at each group")
    parser.add_argument("--browser", default=shutil.which("chromium"))
    asked = parser.parse_args()
    report = os.path.abspath(asked.report)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=asked.browser, args=["--no-sandbox"])
        seconds, drawn = [], []
        for _ in range(asked.starts):
            begin = time.perf_counter()
            with server(report) as (_, link):
                page = browser.new_page()
                page.goto(link)
                page.wait_for_selector(".row")
                seconds.append(time.perf_counter() - begin)
                while not page.evaluate(f"({DRAWN})('')"):
                    page.wait_for_timeout(2)
                drawn.append(time.perf_counter() - begin)
                page.close()
        with server(report) as (process, link):
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            page.goto(link)
            page.wait_for_selector("html[data-ready]")
            while "being read" in page.locator("#count").inner_text():
                page.wait_for_timeout(100)
            page.wait_for_timeout(3000)
            took = sorted(next_group(page, asked.look) for _ in range(asked.groups))
            late = took[min(len(took) - 1, int(0.95 * len(took)))]
            print("| first group, s | with images, s | next, ms, median | 95th percentile | server, MB | page, MB |")
            print("|---|---|---|---|---|---|")
            first, images = statistics.median(seconds), statistics.median(drawn)
            print(f"| {first:.2f} | {images:.2f} | {statistics.median(took):.0f} | {late:.0f} | {memory(process):.0f} "
                  f"| {page_memory():.0f} |")  # fmt: skip
        browser.close()


if __name__ == "__main__":
    main()
