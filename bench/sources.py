"""Time of `find` on the same photos in a folder, in archives, in tables and on a server with latency. Prints Markdown.

usage: sources.py FOLDER [--count N] [--shards N] [--runs N] [--latency MS] [--method SPEC] [--only NAME ...]

The photos of FOLDER are packed into shards, and served on loopback by a process that waits before each answer. The
runs are cold (no store) and interleaved: A B C A B C; files are in the page cache. Each run must find the groups of
the folder. At the end a second run on the tar shards, with a store, shows what unchanged shards cost.
"""

import argparse
import io
import os
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

SERVER = """
import os, re, sys, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote
root, latency = sys.argv[1], float(sys.argv[2])
class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_HEAD(self): self.answer(False)
    def do_GET(self): self.answer(True)
    def answer(self, body):
        time.sleep(latency)
        path = root + unquote(self.path)
        if not os.path.isfile(path):
            self.send_error(404)
            return
        size = os.path.getsize(path)
        wanted = re.match(r"bytes=(\\d+)-(\\d*)", self.headers.get("Range", ""))
        first, last = (int(wanted[1]), min(int(wanted[2] or size - 1), size - 1)) if wanted else (0, size - 1)
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(last - first + 1))
        self.send_header("ETag", f'"{size}-{os.stat(path).st_mtime_ns}"')
        self.send_header("Accept-Ranges", "bytes")
        if wanted:
            self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
        self.end_headers()
        if body:
            with open(path, "rb") as file:
                file.seek(first)
                self.wfile.write(file.read(last - first + 1))
    def log_message(self, *_): pass
server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--shards", type=int, default=10)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--latency", type=float, default=20.0, help="milliseconds before each answer of the server")
    parser.add_argument("--method", default="phash:size=16")
    parser.add_argument("--only", nargs="*", default=())
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-sources-") as name:
        place = Path(name)
        count = fill(place, options.folder, options.count, options.shards)
        with serving(place, options.latency / 1000) as url:
            ways = arguments(place, url)
            if options.only:
                ways = {name: way for name, way in ways.items() if name in ("folder", *options.only)}
            report(place, ways, count, options)


def fill(place: Path, folder: Path, count: int, shards: int) -> int:
    """Pack the photos into shards of each kind; return their number."""
    import pyarrow
    from pyarrow import parquet

    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    photos = [(f"{number:06}{path.suffix.lower()}", path) for number, path in enumerate(found[:count])]
    for kind in ("folder", "tar", "tar.zst", "zip", "parquet"):
        (place / kind).mkdir()
    for name, path in photos:
        shutil.copyfile(path, place / "folder" / name)
    for shard in range(shards):
        part = photos[shard * len(photos) // shards : (shard + 1) * len(photos) // shards]
        with tarfile.open(place / "tar" / f"{shard:03}.tar", "w") as tar:
            for name, path in part:
                info = tarfile.TarInfo(name)
                info.size = path.stat().st_size
                tar.addfile(info, io.BytesIO(path.read_bytes()))
        with zipfile.ZipFile(place / "zip" / f"{shard:03}.zip", "w") as archive:
            for name, path in part:
                archive.write(path, name)
        compress(place / "tar" / f"{shard:03}.tar", place / "tar.zst" / f"{shard:03}.tar.zst")
        rows = [{"image": {"bytes": path.read_bytes(), "path": name}} for name, path in part]
        parquet.write_table(
            pyarrow.Table.from_pylist(rows), place / "parquet" / f"{shard:03}.parquet", row_group_size=100
        )
    (place / "urls.csv").write_text("url\n" + "".join(f"URL/folder/{name}\n" for name, _ in photos), encoding="utf-8")
    return len(photos)


def compress(source: Path, target: Path) -> None:
    import zstandard

    with source.open("rb") as data, target.open("wb") as out:
        zstandard.ZstdCompressor().copy_stream(data, out)


@contextmanager
def serving(place: Path, latency: float) -> Iterator[str]:
    """Serve the files in a process of its own; yields the URL."""
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(place), str(latency)], stdout=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    try:
        yield f"http://127.0.0.1:{server.stdout.readline().strip()}"
    finally:
        server.kill()
        server.wait()


def arguments(place: Path, url: str) -> dict[str, list[str]]:
    """The PATH arguments of each way to the photos."""
    table = place / "urls.csv"
    table.write_text(table.read_text(encoding="utf-8").replace("URL", url), encoding="utf-8")
    tars = sorted((place / "tar").iterdir())
    return {
        "folder": [str(place / "folder")],
        "zip": [str(place / "zip")],
        "tar": [str(place / "tar")],
        "tar.zst": [str(place / "tar.zst")],
        "parquet": [str(place / "parquet")],
        "URLs": ["--table", str(table)],
        "tar by URL": [f"{url}/tar/{path.name}" for path in tars],
    }


def timed(place: Path, way: Sequence[str], method: str, *store: str) -> tuple[float, list[int]]:
    """Run `find`; return the seconds and the sizes of the groups."""
    out = place / "report.json"
    out.unlink(missing_ok=True)
    command = [sys.executable, "-m", "twinpix", "find", *way, "--method", method, *(store or ("--no-store",))]
    begin = time.perf_counter()
    subprocess.run([*command, "-o", str(out)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    seconds = time.perf_counter() - begin
    groups = msgspec.json.decode(out.read_bytes())["groups"]
    return seconds, sorted(len(group["members"]) for group in groups)


def report(place: Path, ways: dict[str, list[str]], count: int, options: argparse.Namespace) -> None:
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    wanted = timed(place, ways["folder"], options.method)[1]
    for _ in range(options.runs):
        for name, way in ways.items():
            took, groups = timed(place, way, options.method)
            seconds[name].append(took)
            if groups != wanted:
                print(f"{name}: {len(groups)} groups, not {len(wanted)}", file=sys.stderr)
    base = statistics.median(seconds["folder"])
    print(f"{count:,} photos, {options.method}, {len(wanted)} groups, {os.cpu_count()} cores\n")
    print("| photos in | median | to the folder |\n|---|---|---|")
    for name, runs in seconds.items():
        print(f"| {name} | {statistics.median(runs):.1f} s | {statistics.median(runs) / base:.2f}x |")
    if "tar" in ways:
        store = ("--store", str(place / "store"))
        timed(place, ways["tar"], options.method, *store)
        again = [timed(place, ways["tar"], options.method, *store)[0] for _ in range(3)]
        empty = place / "empty"
        empty.mkdir()
        start = [timed(place, [str(empty)], options.method, *store)[0] for _ in range(3)]
        each = (statistics.median(again) - statistics.median(start)) / count * 1e6
        print(f"\nSecond run on tar, nothing changed: {statistics.median(again):.2f} s, {each:.0f} µs an image more")


if __name__ == "__main__":
    main()
