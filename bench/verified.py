"""Accuracy and cost of `find`: copies found and how they are named, false matches, and time and memory by folder size.

usage: verified.py edits FOLDER [--find OPTIONS ...] [--each] [--same FILE] [--sheets DIR]
       verified.py negatives FOLDER ... [--find OPTIONS ...] [--same FILE] [--sheets DIR]
       verified.py growth SRC INTO [--counts N ...] [--find OPTIONS ...] [--seed S] [--workers N]

Runs `python -m twinpix find PATHS OPTIONS --no-store -o report.json` once for each `--find`, which may be
repeated (`--find '--method cnn' --find '--method phash -t'`; one option alone: `--find=-t`), and reads the
report. Prints Markdown. Time is that of the whole process; memory is the peak of it and its workers.

edits      FOLDER holds `original/` and one folder for each edit; files with the same stem are copies of one image.
           A copy is matched if the report lists the pair of the copy and its original, and grouped if both are in
           one group. ACCEPTED has the right names of each edit, with the reasons. A match of two stems is false;
           "false by group" counts all pairs of different stems in one group, matched or not.
           In a run over all edits a copy may be listed with another copy instead of its original: then it is
           grouped and not matched, and its name is not judged. With --each, every edit is a separate run
           with the originals only: no copy is found via another one, and nearly every name is judged.
negatives  FOLDERs in which no image is a copy of another: every match is false. In a FOLDER with a file
           `negatives.json` (`make_negatives.py` writes it), the images of each sub-folder are variants of one
           template; they may also match with the relations that the file names.
growth     Makes images in INTO, by warping, cropping and recolouring those in SRC; one in ten is a copy
           of another one. Then runs `find` on the first 5,000, 10,000 and 20,000 of them, and prints the time of
           each stage. Existing images in INTO are not made again.

--same     a file of known copies that are not labelled as such: on each line two files, separated by a tab: stems
           for `edits`, otherwise paths that begin with the name of the FOLDER. Matches of these are ignored.
--sheets   a folder for contact sheets of the false matches: both images, the relation and the detail.
"""

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFont, ImageOps

from whole_process import held

SAME = frozenset({"identical-file", "identical-pixels", "re-encoded"})  # nothing but the encoding differs
LISTED = 40  # false matches whose paths are printed; the sheets show more
SHOWN = 400  # false matches on the sheets of one folder
STAGED = """
import sys, time
from twinpix.progress import Progress, terminal
class Stages(Progress):
    def start(self, stage, total):
        self.stage_name, self.since = stage, time.monotonic()
    def finish(self):
        print(f"stage {self.stage_name} {time.monotonic() - self.since:.3f}", file=sys.stderr, flush=True)
terminal.progress = Stages
from twinpix.cli import main
sys.argv[0] = "twinpix"
sys.exit(main())
"""


class Accepted(NamedTuple):
    """The relations that name an edit correctly, and the reason."""

    relations: frozenset[str]
    why: str


def _accept(relations: str, why: str, *edits: str) -> dict[str, Accepted]:
    return dict.fromkeys(edits, Accepted(frozenset(relations.split()), why))


ACCEPTED: dict[str, Accepted] = {
    **_accept("re-encoded", "only the encoding differs", "jpeg90", "jpeg50", "jpeg15"),
    **_accept("resized", "the same image in another size or aspect ratio", "resize50", "resize20", "aspect"),
    **_accept(
        "recoloured",
        "no pixel moved; its value is a function of the old one",
        *("bright", "dark", "contrast", "saturate", "gray", "gamma"),
    ),
    **_accept(
        "edited",
        "neighbouring pixels were mixed, or noise was added: neither a tone curve nor an encoder does that",
        *("blur2", "sharpen", "noise15"),
    ),
    **_accept("edited", "a part was painted over", "watermark", "logo"),
    **_accept("padded edited", "a bar was added, which is padding, with text on it, which is an edit", "meme"),
    **_accept("padded", "the whole image with something around it", "screenshot", "border5", "border15"),
    **_accept("cropped", "a part of the image", "crop95", "crop85", "crop70", "crop50", "crop85jpeg30"),
    **_accept("cropped edited", "a part of the image, with text on it", "crop80text"),
    **_accept("rotated", "rotated by any angle", "rot2", "rot5", "rot25", "rot90", "rot180"),
    **_accept("mirrored", "no rotation gives this image", "mirror", "flip"),
}


# -- running ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Pair:
    """Two images that a report names together."""

    a: Path
    b: Path
    relation: str
    detail: str

    @property
    def key(self) -> frozenset[Path]:
        return frozenset((self.a, self.b))


@dataclass(frozen=True)
class Outcome:
    """The result of one run, and its time and memory."""

    images: int
    matches: list[Pair]
    groups: list[list[Path]]
    similar: list[Pair]  # the same scene, not copies
    left_out: int  # matches that the report counts but does not list
    seconds: float
    peak: float  # MB
    stages: dict[str, float]  # seconds, if the run measured them


def find(options: Sequence[str], paths: Iterable[Path], *, staged: bool = False) -> Outcome:
    """One run of the command line, without a store."""
    with tempfile.TemporaryDirectory() as scratch:
        report = os.path.join(scratch, "report.json")
        program = ("-c", STAGED) if staged else ("-m", "twinpix")
        argv = [sys.executable, *program, "find", *(str(path.resolve()) for path in paths)]
        argv += [*options, "--no-store", "-o", report]
        with open(os.path.join(scratch, "errors"), "w+") as errors:
            start = time.perf_counter()
            process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=errors, start_new_session=True)
            done, peak = threading.Event(), [0.0]
            watcher = threading.Thread(target=_watch, args=(process.pid, done, peak))
            watcher.start()
            try:
                code = process.wait()
            finally:
                seconds = time.perf_counter() - start
                done.set()
                watcher.join()
            errors.seek(0)
            output = errors.read()
        if code:
            raise SystemExit(f"twinpix find {' '.join(options)} ended with {code}:\n{output[-2000:]}")
        stages: dict[str, float] = defaultdict(float)
        for line in output.splitlines():
            if line.startswith("stage "):
                _, name, took = line.split()
                stages[name] += float(took)
        with open(report, encoding="utf-8") as file:
            return _outcome(json.load(file), seconds, peak[0], dict(stages))


def _watch(leader: int, done: threading.Event, peak: list[float]) -> None:
    while not done.wait(0.25):
        peak[0] = max(peak[0], held(leader))


def _outcome(found: dict[str, Any], seconds: float, peak: float, stages: dict[str, float]) -> Outcome:
    def pairs(rows: Iterable[dict[str, Any]]) -> list[Pair]:
        return [
            Pair(Path(row["a"]), Path(row["b"]), row.get("relation", "similar-scene"), _detail(row)) for row in rows
        ]

    return Outcome(
        images=found["counts"]["images"],
        matches=pairs(row for group in found["groups"] for row in group["matches"]),
        groups=[[Path(member["path"]) for member in group["members"]] for group in found["groups"]],
        similar=pairs(found.get("similar") or []),
        left_out=sum(group.get("matches_left_out", 0) for group in found["groups"]),
        seconds=seconds,
        peak=peak,
        stages=stages,
    )


def _detail(row: dict[str, Any]) -> str:
    return row.get("detail") or ("" if row.get("distance") is None else f"distance {row['distance']:g}")


class Truths:
    """Known copies: `of(name)` is equal for files that are the same image, and the name itself for others."""

    def __init__(self, file: Path | None) -> None:
        self._parent: dict[str, str] = {}
        for line in file.read_text(encoding="utf-8").splitlines() if file else []:
            if line.strip() and not line.startswith("#"):
                a, b = line.split("\t")[:2]
                self._parent[self.of(a)] = self.of(b)

    def of(self, name: str) -> str:
        while name in self._parent and self._parent[name] != name:
            name = self._parent[name]
        return name


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    print("| " + " | ".join(head) + " |\n|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |")
    print(flush=True)


def count_relations(relations: Iterable[str]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in Counter(relations).most_common()) or "–"


def list_pairs(pairs: Sequence[Pair], root: Path) -> None:
    for pair in pairs[:LISTED]:
        names = (os.path.relpath(path, root) for path in (pair.a, pair.b))
        print("- " + " – ".join(f"`{name}`" for name in names) + f": {pair.relation}, {pair.detail}")
    if len(pairs) > LISTED:
        print(f"- and {len(pairs) - LISTED:,} more")
    print(flush=True)


# -- edits --------------------------------------------------------------------------------------------


@dataclass
class Edit:
    """The numbers of found copies of one edit."""

    copies: int = 0
    matched: int = 0
    grouped: int = 0
    similar: int = 0  # reported as the same scene, not as a copy
    right: int = 0  # matched and correctly named
    plain: int = 0  # of those: named as unedited, and the edit changed almost nothing

    def __add__(self, other: "Edit") -> "Edit":
        return Edit(*(a + b for a, b in zip(vars(self).values(), vars(other).values(), strict=True)))


@dataclass
class Finds:
    """The result for all copies with one set of options."""

    edits: dict[str, Edit]
    relations: dict[str, Counter[str]]  # relations of the matched copies, by edit
    false: list[Pair]
    falsely_grouped: int = 0  # pairs of different images in one group
    falsely_similar: int = 0  # pairs of different images reported as similar
    left_out: int = 0
    seconds: float = 0.0
    peak: float = 0.0

    def of_two_images(self) -> list[Pair]:
        """One false match for each pair of images, whatever their edits: of the originals, if those match."""
        by_stems: dict[frozenset[str], Pair] = {}
        for pair in sorted(self.false, key=lambda pair: -sum(path.parent.name == "original" for path in pair.key)):
            by_stems.setdefault(frozenset((pair.a.stem, pair.b.stem)), pair)
        return list(by_stems.values())


def edits(asked: argparse.Namespace) -> None:
    folder: Path = asked.folder.resolve()
    kinds = sorted(path.name for path in folder.iterdir() if path.is_dir() and path.name != "original")
    truths = Truths(asked.same)
    finds = {}
    for options in asked.find:
        parts = [(kind,) for kind in kinds] if asked.each else [tuple(kinds)]
        finds[options] = _edits_found(folder, options, parts, truths)
    originals = sum(path.is_file() for path in (folder / "original").iterdir())
    way = ", each in a separate run with the originals" if asked.each else ""
    print(f"{folder.name}: {originals:,} originals, {len(kinds)} edits{way}\n")
    _edit_tables(finds)
    for options, found in finds.items():
        if found.false:
            first = found.of_two_images()
            print(f"False matches of `{options}`, one for each pair of images:\n")
            list_pairs(first, folder)
            if asked.sheets:
                sheets(first, folder, asked.sheets, f"edits {folder.name} {options}")


def _edits_found(folder: Path, options: str, parts: Sequence[tuple[str, ...]], truths: Truths) -> Finds:
    found = Finds({}, defaultdict(Counter), [])
    seen: set[frozenset[Path]] = set()
    for kinds in parts:
        outcome = find(shlex.split(options), [folder / "original", *(folder / kind for kind in kinds)])
        matches = {pair.key: pair for pair in outcome.matches}
        similar = {pair.key for pair in outcome.similar}
        group = {path: number for number, paths in enumerate(outcome.groups) for path in paths}
        originals = {path.stem: path for path in (folder / "original").iterdir()}
        for kind in kinds:
            tally = found.edits.setdefault(kind, Edit())
            for copy in sorted((folder / kind).iterdir()):
                original = originals[copy.stem]
                key = frozenset((original, copy))
                tally.copies += 1
                tally.grouped += group.get(original, -1) == group.get(copy, -2)
                tally.similar += key in similar
                if pair := matches.get(key):
                    tally.matched += 1
                    found.relations[kind][pair.relation] += 1
                    plain = kind in ACCEPTED and _is_excused(kind, pair, original, copy)
                    tally.plain += plain
                    tally.right += plain or (kind in ACCEPTED and pair.relation in ACCEPTED[kind].relations)
        for pair in outcome.matches:
            if truths.of(pair.a.stem) != truths.of(pair.b.stem) and pair.key not in seen:
                seen.add(pair.key)  # two originals are in every run
                found.false.append(pair)
        for paths in outcome.groups:
            images = Counter(truths.of(path.stem) for path in paths)
            found.falsely_grouped += (len(paths) ** 2 - sum(count**2 for count in images.values())) // 2
        found.falsely_similar += sum(truths.of(pair.a.stem) != truths.of(pair.b.stem) for pair in outcome.similar)
        found.left_out += outcome.left_out
        found.seconds += outcome.seconds
        found.peak = max(found.peak, outcome.peak)
    return found


def _is_excused(kind: str, pair: Pair, original: Path, copy: Path) -> bool:
    """True if the pair is named as if only encoding or size differed, and nothing else does differ."""
    if pair.relation in ACCEPTED[kind].relations or pair.relation not in SAME | {"resized"}:
        return False
    with Image.open(original) as one, Image.open(copy) as other:
        if (one.size == other.size) != (pair.relation in SAME):
            return False
        cells = (max(1, one.width // 16), max(1, one.height // 16))
        for image in (one, other):  # most pairs differ at an eighth of the size, which is quick to decode
            image.draft("RGB", cells)
        means = [np.asarray(image.convert("RGB").resize(cells, Image.Resampling.BOX), float) for image in (one, other)]
    if np.abs(means[0] - means[1]).max() > 4:
        return False
    with Image.open(original) as one, Image.open(copy) as other:
        whole = [np.asarray(image.convert("RGB").resize(one.size), np.float32) for image in (one, other)]
    return float(np.sqrt(((whole[0] - whole[1]) ** 2).mean())) <= 5  # the error of a good JPEG of a detailed image


def _edit_tables(finds: dict[str, Finds]) -> None:
    def share(part: int, whole: int) -> str:
        return f"{part / whole:.3f}" if whole else "–"

    rows = []
    for options, found in finds.items():
        total = sum(found.edits.values(), Edit())
        known = sum((edit for kind, edit in found.edits.items() if kind in ACCEPTED), Edit())
        rows.append(
            (
                f"`{options}`",
                f"{total.copies:,}",
                share(total.matched, total.copies),
                share(total.grouped, total.copies),
                share(total.similar, total.copies),
                share(known.right, known.matched),
                f"{len(found.false):,}" + (f" (+ up to {found.left_out:,} not listed)" if found.left_out else ""),
                f"{len(found.of_two_images()):,}",
                f"{found.falsely_grouped:,}",
                f"{found.falsely_similar:,}",
                f"{found.seconds:.1f}",
                f"{found.peak:.0f}",
            )
        )
    head = "options, copies, matched, grouped, similar only, correctly named, false matches, pairs of images, "
    table((head + "false by group, others similar, seconds, peak MB").split(", "), rows)
    kinds = list(next(iter(finds.values())).edits)

    def cell(edit: Edit) -> str:
        matched, grouped = share(edit.matched, edit.copies), share(edit.grouped, edit.copies)
        return matched if matched == grouped else f"{matched} ({grouped})"

    print("Matched, and in brackets grouped where that differs\n")
    table(
        ["edit", *(f"`{options}`" for options in finds)],
        [(kind, *(cell(found.edits[kind]) for found in finds.values())) for kind in kinds],
    )
    for options, found in finds.items():
        print(f"How `{options}` names its matches; excused: the edit changed almost nothing of that image\n")
        rows_named = []
        for kind in kinds:
            edit, accepted = found.edits[kind], ACCEPTED.get(kind)
            right = share(edit.right, edit.matched) if accepted else "not judged"
            names = " or ".join(sorted(accepted.relations)) if accepted else "–"
            rows_named.append((kind, right, edit.plain or "", names, count_relations(found.relations[kind].elements())))
        table(("edit", "correct", "excused", "accepted", "reported"), rows_named)


# -- negatives ----------------------------------------------------------------------------------------


def negatives(asked: argparse.Namespace) -> None:
    truths = Truths(asked.same)
    for options in asked.find:
        rows, wrong = [], {}
        for folder in (path.resolve() for path in asked.folders):
            outcome = find(shlex.split(options), [folder])
            may = _allowed_among_variants(folder)

            def is_known(pair: Pair, folder: Path = folder) -> bool:
                a, b = (truths.of(f"{folder.name}/{path.relative_to(folder)}") for path in (pair.a, pair.b))
                return a == b

            def are_variants(pair: Pair, folder: Path = folder) -> bool:
                return pair.a.parent == pair.b.parent != folder

            judged = [pair for pair in outcome.matches if not is_known(pair)]
            false = [pair for pair in judged if not (pair.relation in may and are_variants(pair))]
            wrong[folder] = false
            rows.append(
                (
                    folder.name,
                    f"{outcome.images:,}",
                    f"{len(outcome.matches) + outcome.left_out:,}",
                    f"{len(outcome.matches) - len(judged):,}",
                    f"{len(judged) - len(false):,}" if may else "",
                    f"**{len(false) + outcome.left_out:,}**",
                    count_relations(pair.relation for pair in false),
                    f"{len({path for pair in false for path in pair.key}):,}",
                    f"{len(outcome.similar):,}",
                    f"{outcome.seconds:.1f}",
                    f"{outcome.peak:.0f}",
                )
            )
            if asked.sheets:
                sheets(false, folder, asked.sheets, f"{folder.name} {options}")
        print(f"`{options}`\n")
        head = (
            "folder, images, matched pairs, known copies, allowed among variants, false, by relation, images in them, "
        )
        table((head + "similar-scene, seconds, peak MB").split(", "), rows)
        for folder, false in wrong.items():
            if false:
                print(f"False in {folder.name}:\n")
                list_pairs(false, folder)


def _allowed_among_variants(folder: Path) -> frozenset[str]:
    file = folder / "negatives.json"
    return frozenset(json.loads(file.read_text(encoding="utf-8"))["kin"]) if file.exists() else frozenset()


# -- sheets -------------------------------------------------------------------------------------------

SIDE, LINE, ACROSS, DOWN = 300, 16, 2, 4  # pixels of an image and of a line of text; pairs of a sheet


def sheets(pairs: Sequence[Pair], root: Path, into: Path, name: str) -> None:
    """Write the first pairs on contact sheets `name 001.png` and so on."""
    into.mkdir(parents=True, exist_ok=True)
    name = "".join(letter if letter.isalnum() or letter in "-_=" else " " for letter in name)
    font = ImageFont.load_default(size=12)
    wide, high = 2 * SIDE + 24, SIDE + 3 * LINE + 20
    shown = pairs[:SHOWN]
    for start in range(0, len(shown), ACROSS * DOWN):
        part = shown[start : start + ACROSS * DOWN]
        sheet = Image.new("RGB", (ACROSS * wide, -(-len(part) // ACROSS) * high), (238, 238, 240))
        pen = ImageDraw.Draw(sheet)
        for at, pair in enumerate(part):
            left, top = at % ACROSS * wide + 8, at // ACROSS * high + 8
            for number, path in enumerate((pair.a, pair.b)):
                sheet.paste(_small(path), (left + number * (SIDE + 8), top))
                words = os.path.relpath(path, root)
                pen.text((left, top + SIDE + 4 + (number + 1) * LINE), words[-95:], fill="black", font=font)
            pen.text((left, top + SIDE + 4), f"{pair.relation}: {pair.detail}"[:100], fill=(170, 0, 0), font=font)
        sheet.save(into / f"{name} {start // (ACROSS * DOWN) + 1:03d}.png")
    if len(pairs) > SHOWN:
        print(f"{into}: the first {SHOWN} of {len(pairs):,} pairs\n")


def _small(path: Path) -> Image.Image:
    """The image in the middle of a square; grey if it cannot be read."""
    square = Image.new("RGB", (SIDE, SIDE), (205, 205, 210))
    try:
        with Image.open(path) as file:
            file.draft("RGB", (SIDE, SIDE))
            image = ImageOps.exif_transpose(file).convert("RGBA")
    except (OSError, ValueError, SyntaxError):
        return square
    image.thumbnail((SIDE, SIDE))
    white = Image.new("RGBA", image.size, "white")
    white.alpha_composite(image)
    square.paste(white.convert("RGB"), ((SIDE - image.width) // 2, (SIDE - image.height) // 2))
    return square


# -- growth -------------------------------------------------------------------------------------------

PART = 1000  # images of a sub-folder
EACH = 10  # every tenth image is a copy of the one nine before it


def growth(asked: argparse.Namespace) -> None:
    sources = sorted(path for path in asked.src.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png", ".webp"))
    most = max(asked.counts)
    needed = most - most // EACH
    if len(sources) < needed:
        raise SystemExit(f"{most:,} images need {needed:,} below {asked.src}, which has {len(sources):,}")
    into: Path = asked.into.resolve()
    with ProcessPoolExecutor(asked.workers) as pool:
        for part in range(-(-most // PART)):
            (into / f"{part:03d}").mkdir(parents=True, exist_ok=True)
        originals = [number for number in range(most) if number % EACH != EACH - 1]
        paths = [sources[number - number // EACH] for number in originals]
        list(pool.map(partial(_made, asked.seed, into), originals, paths, chunksize=50))
        list(pool.map(partial(_copy_edited, asked.seed, into), range(EACH - 1, most, EACH), chunksize=50))
    for options in asked.find:
        rows, stages = [], dict[str, None]()
        outcomes = {}
        for count in asked.counts:
            if count % PART:
                raise SystemExit(f"--counts must be multiples of {PART:,} images, not {count}")
            outcome = outcomes[count] = find(
                shlex.split(options), [into / f"{part:03d}" for part in range(count // PART)], staged=True
            )
            stages |= dict.fromkeys(outcome.stages)
        for count, outcome in outcomes.items():
            truth = {
                frozenset((_place(into, number), _place(into, number - EACH + 1)))
                for number in range(EACH - 1, count, EACH)
            }
            keys = {pair.key for pair in outcome.matches}
            rows.append(
                (
                    f"{count:,}",
                    *(f"{outcome.stages.get(stage, 0):.1f}" for stage in stages),
                    f"{outcome.seconds:.1f}",
                    f"{1000 * outcome.seconds / count:.1f}",
                    f"{outcome.peak:.0f}",
                    f"{len(keys & truth):,} of {len(truth):,}",
                    f"{len(keys - truth) + outcome.left_out:,}",
                    f"{len(outcome.similar):,}",
                )
            )
        print(f"`{options}`\n")
        head = ["images", *stages, "seconds", "ms per image", "peak MB", "copies found", "other matches", "similar"]
        table(head, rows)


def _place(into: Path, number: int) -> Path:
    return into / f"{number // PART:03d}" / f"{number:06d}.jpg"


def _made(seed: int, into: Path, number: int, source: Path) -> None:
    """A different image: a warped, cropped, recoloured and enlarged part of another one."""
    place = _place(into, number)
    if place.exists():
        return
    chance = np.random.default_rng([seed, number])
    with Image.open(source) as file:
        image = file.convert("RGB")
    size = (int(chance.integers(400, 641)), int(chance.integers(300, 481)))
    corners = np.array([(0, 0), (0, 1), (1, 1), (1, 0)]) * 0.8 + 0.1 + chance.uniform(-0.1, 0.1, (4, 2))
    quad = tuple((corners * image.size).ravel().tolist())
    image = image.transform(size, Image.Transform.QUAD, quad, Image.Resampling.BICUBIC)
    image = _recolour(image, chance, 0.3)
    grain = chance.normal(0, chance.uniform(1, 4), (size[1], size[0], 1))
    image = Image.fromarray(np.clip(np.asarray(image) + grain, 0, 255).astype(np.uint8))
    image.save(place, quality=int(chance.integers(80, 95)))


def _copy_edited(seed: int, into: Path, number: int) -> None:
    """A cropped, resized, recoloured copy."""
    place = _place(into, number)
    if place.exists():
        return
    chance = np.random.default_rng([seed, number])
    with Image.open(_place(into, number - EACH + 1)) as file:
        image = file.convert("RGB")
    keep = chance.uniform(0.75, 1.0)
    width, height = round(image.width * keep), round(image.height * keep)
    left, top = (int(chance.integers(0, room + 1)) for room in (image.width - width, image.height - height))
    scale = chance.uniform(0.6, 1.0)
    size = (round(width * scale), round(height * scale))
    image = image.resize(size, Image.Resampling.LANCZOS, (left, top, left + width, top + height))
    _recolour(image, chance, 0.15).save(place, quality=int(chance.integers(50, 90)))


def _recolour(image: Image.Image, chance: np.random.Generator, reach: float) -> Image.Image:
    kinds: tuple[Callable[[Image.Image], Any], ...] = (
        ImageEnhance.Brightness,
        ImageEnhance.Contrast,
        ImageEnhance.Color,
    )
    for kind in kinds:
        image = kind(image).enhance(float(chance.uniform(1 - reach, 1 + reach)))
    return image


# -- the command --------------------------------------------------------------------------------------


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, usage=argparse.SUPPRESS
    )
    commands = parser.add_subparsers(required=True)

    def command(work: Callable[[argparse.Namespace], None]) -> argparse.ArgumentParser:
        part = commands.add_parser(work.__name__)
        part.set_defaults(work=work)
        part.add_argument("--find", action="append", metavar="OPTIONS", help="options of find; may be repeated")
        return part

    one, two, three = command(edits), command(negatives), command(growth)
    one.add_argument("folder", type=Path)
    one.add_argument("--each", action="store_true")
    two.add_argument("folders", nargs="+", type=Path)
    for part in (one, two):
        part.add_argument("--same", type=Path)
        part.add_argument("--sheets", type=Path)
    three.add_argument("src", type=Path)
    three.add_argument("into", type=Path)
    three.add_argument("--counts", nargs="+", type=int, default=[5000, 10000, 20000])
    three.add_argument("--seed", type=int, default=0)
    three.add_argument("--workers", type=int, help="number of processes that make the images")
    asked = parser.parse_args()
    asked.find = asked.find or ["--method cascade"]  # the default
    asked.work(asked)


if __name__ == "__main__":
    main()
