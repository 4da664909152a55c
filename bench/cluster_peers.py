"""Other ways to find copies on Ray, for `cluster.py peers`: the images, the commands of each tool, and the scores."""

import hashlib
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageOps

import twinpix
from twinpix.evaluation.edits import EDITS, make_edit

_SIDE = 500  # pixels, the longer side of an image
_CORES = 2

# Each script gets the folder and the file for its groups: a JSON list of lists of names.
_RAY_DATA = """
import json, os, sys
import imagehash, ray
from PIL import Image
def code(row):
    with Image.open(row["path"]) as image:
        return {"path": row["path"], "hash": str(imagehash.phash(image.convert("RGB")))}
def group(rows):
    return {"paths": [json.dumps(list(rows["path"]))]}
if __name__ == "__main__":
    folder, out = sys.argv[1:]
    ray.init(num_cpus=CORES, include_dashboard=False, log_to_driver=False)
    paths = [{"path": os.path.join(folder, name)} for name in sorted(os.listdir(folder))]
    coded = ray.data.from_items(paths).map(code)
    groups = [json.loads(row["paths"]) for row in coded.groupby("hash").map_groups(group).take_all()]
    with open(out, "w") as file:
        json.dump([group for group in groups if len(group) > 1], file)
"""
# It names no groups, only the images that stay; so the groups are made from its own hashes, after the timed part.
_DATA_JUICER = """
import json, os, sys
import ray
from data_juicer.core.data.ray_dataset import RayDataset
from data_juicer.ops.deduplicator.ray_image_deduplicator import RayImageDeduplicator
if __name__ == "__main__":
    folder, out = sys.argv[1:]
    if out.endswith(".hashes"):
        hashes = {}
        operator = RayImageDeduplicator(method="phash")
        for name in sorted(os.listdir(folder)):
            path = os.path.join(folder, name)
            hashes.setdefault(operator.calculate_hash({"images": [path]}), []).append(path)
        with open(out, "w") as file:
            json.dump([paths for paths in hashes.values() if len(paths) > 1], file)
        sys.exit()
    ray.init(num_cpus=CORES, include_dashboard=False, log_to_driver=False)
    rows = [{"text": "", "images": [os.path.join(folder, name)]} for name in sorted(os.listdir(folder))]
    data = RayDataset(ray.data.from_items(rows))
    kept = data.process([RayImageDeduplicator(method="phash")]).data.take_all()
    with open(out, "w") as file:
        json.dump([row["images"][0] for row in kept], file)
"""


class Tool(NamedTuple):
    """A tool: its command for a folder and an output file, and how its groups are read from that file."""

    name: str
    command: Callable[[str, str], list[str]]
    groups: Callable[[str, str], list[list[str]]]


def make_pictures(source: str, target: Path, count: int) -> None:
    """Write `count` images: one half from `source`, and an edited copy of each, by the edits in turn."""
    known = {".jpg", ".jpeg", ".png", ".webp"}
    paths = sorted(path for path in Path(source).rglob("*") if path.suffix.lower() in known)
    random.Random(24).shuffle(paths)
    target.mkdir(parents=True)
    made, edits = 0, list(EDITS)
    seen = set[str]()
    for path in paths:
        if made == count // 2:
            return
        try:
            with Image.open(path) as opened:
                image = ImageOps.exif_transpose(opened).convert("RGB")
        except OSError:
            continue
        image.thumbnail((_SIDE, _SIDE))
        digest = hashlib.sha256(image.tobytes()).hexdigest()
        if digest in seen or min(image.size) < 32:
            continue
        seen.add(digest)
        image.save(target / f"{made:05}-original.jpg", quality=92)
        name = edits[made % len(edits)]
        suffix = {"JPEG": "jpg", "WEBP": "webp", "PNG": "png"}[EDITS[name].format]
        (target / f"{made:05}-copy.{suffix}").write_bytes(make_edit(image, name, f"{made}"))
        made += 1
    raise SystemExit(f"{source} has only {made} images that can be used, {count // 2} are needed")


def tools(data_juicer: str, scratch: Path) -> list[Tool]:
    """Return the tools; Data-Juicer only if the Python with it is given."""

    def twinpix_by(*options: str) -> Callable[[str, str], list[str]]:
        fixed = [sys.executable, "-m", "twinpix", "find", "--no-store", "-q", "--force"]
        return lambda folder, out: [*fixed, folder, "-o", f"{out}.json", *options]

    def script(python: str, text: str, name: str) -> Callable[[str, str], list[str]]:
        path = scratch / name
        path.write_text(text.replace("CORES", str(_CORES)), encoding="utf-8")
        return lambda folder, out: [python, str(path), folder, out]

    def of_report(folder: str, out: str) -> list[list[str]]:
        report = twinpix.Report.load(f"{out}.json")
        return [[member.path for member in group.members] for group in report.groups]

    def of_file(folder: str, out: str) -> list[list[str]]:
        groups: list[list[str]] = json.loads(Path(out).read_text(encoding="utf-8"))
        return groups

    on_ray, equal = ("--executor", "ray"), ("--method", "phash", "--radius", "0", "--no-verify")
    found = [
        Tool("twinpix, phash within 0, unverified", twinpix_by(*equal, *on_ray), of_report),
        Tool("twinpix `--fast`", twinpix_by("--fast", *on_ray), of_report),
        Tool("twinpix, default", twinpix_by(*on_ray), of_report),
        Tool("twinpix `--fast`, without Ray", twinpix_by("--fast"), of_report),
        Tool("Ray Data, equal `imagehash.phash`", script(sys.executable, _RAY_DATA, "plain.py"), of_file),
    ]
    if data_juicer:
        command = script(data_juicer, _DATA_JUICER, "juicer.py")

        def of_hashes(folder: str, out: str) -> list[list[str]]:
            kept = len(of_file(folder, out))
            subprocess.run(command(folder, f"{out}.hashes"), check=True, stdout=subprocess.DEVNULL)
            groups = of_file(folder, f"{out}.hashes")
            gone = sum(len(group) - 1 for group in groups)
            assert kept == len(os.listdir(folder)) - gone, (kept, gone)
            return groups

        found.append(Tool("Data-Juicer `ray_image_deduplicator`, phash", command, of_hashes))
    return found


def scores(groups: Sequence[Sequence[str]], pictures: int) -> tuple[float, int, int]:
    """Return the recall of the copies, the number of pairs of different pictures in one group, and of their groups."""
    found, false, wrong = 0, 0, 0
    for group in groups:
        stems = Counter(os.path.basename(path).partition("-")[0] for path in group)
        found += sum(count > 1 for count in stems.values())
        pairs = sum(a * b for a, b in combinations(stems.values(), 2))
        false += pairs
        wrong += pairs > 0
    return found / pictures, false, wrong


def compare_peers(source: str, count: int, repeats: int, data_juicer: str, keep: str, only: Sequence[str]) -> None:
    """Print the table; the images are made in `keep`, or used from there if they are there already."""
    with tempfile.TemporaryDirectory() as place:
        scratch = Path(place)
        folder = Path(keep) if keep else scratch / "pictures"
        if not folder.exists():
            make_pictures(source, folder, count)
        known = [tool for tool in tools(data_juicer, scratch) if any(text in tool.name for text in only)]
        seconds: dict[str, list[float]] = {tool.name: [] for tool in known}
        groups = dict[str, list[list[str]]]()
        for run in range(repeats):
            for number, tool in enumerate(known):
                out = str(scratch / f"{number}-{run}")
                begun = time.monotonic()
                done = subprocess.run(tool.command(str(folder), out), capture_output=True, text=True)
                seconds[tool.name].append(time.monotonic() - begun)
                assert done.returncode == 0, f"{tool.name}: {done.stderr[-3000:]}"
                print(f"{tool.name}: {seconds[tool.name][-1]:.1f} s", file=sys.stderr, flush=True)
                if run == 0:
                    groups[tool.name] = tool.groups(str(folder), out)
        files = len(os.listdir(folder))
        print(f"{files:,} images, one half edited copies of the other; medians of {repeats} in turns\n")
        print("| tool | seconds | copies found | false pairs | in groups |")
        print("|---|---|---|---|---|")
        for tool in known:
            recall, false, wrong = scores(groups[tool.name], files // 2)
            median = statistics.median(seconds[tool.name])
            print(f"| {tool.name} | {median:.1f} | {recall:.3f} | {false:,} | {wrong:,} |")
