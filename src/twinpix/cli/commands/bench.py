"""`twinpix bench copies`."""

from typing import TYPE_CHECKING, Annotated

import typer

from twinpix.cli import common
from twinpix.cli.command import Command
from twinpix.cli.common import DecodeName
from twinpix.errors import Exit
from twinpix.model import format_distance
from twinpix.progress.terminal import progress

if TYPE_CHECKING:
    from twinpix.evaluation.copies import CopiesFound

METHODS = "ahash:size=16,dhash:size=16,phash,phash:size=16,pdq"
_NONE = (
    "none: even at radius 0 more negative pairs match than this rate allows: the method gives unlike images\n"
    "equal codes, or some of these images are too similar, as they are or when rotated or mirrored"
)
app = typer.Typer(
    help="Measure methods on your own images.", no_args_is_help=True, add_completion=False, rich_markup_mode=None
)


@app.callback()
def _group() -> None:
    """Measure methods on your own images."""


@app.command(cls=Command)
def copies(
    paths: Annotated[list[str], typer.Argument(metavar="PATH...", help=common.PATHS_HELP)],
    methods: Annotated[str, typer.Option("--methods", metavar="SPEC,...", help="Methods to measure.")] = METHODS,
    count: Annotated[int, typer.Option("--count", min=2, metavar="N", help="Largest number of images to use.")] = 300,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Change the random seed.")] = 0,
    decode: common.DecodeOption = DecodeName.fast,
    hidden: common.HiddenOption = False,
    workers: common.WorkersOption = 0,
    executor: common.ExecutorOption = "local",
    timeout: common.TimeoutOption = 60.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """Measure which method and radius find most copies of your images.

    40 edited copies of each image are made in memory: encodings, sizes, colours, blur, text, borders, crops,
    rotations. Writes no files.
    """
    from twinpix.encoding.options import Options
    from twinpix.evaluation.copies import find_copies

    chosen = Options(
        decode=decode.value, hidden=hidden, workers=workers, executor=executor, timeout=timeout, store=None
    )
    found = find_copies(paths, common.specs(methods), count=count, seed=seed, options=chosen, progress=progress())
    _json(found) if as_json else _table(found)
    common.print_failures(found.failures)
    return Exit.DONE


def _json(found: "CopiesFound") -> None:
    from twinpix.report.json import dumps

    rows = [{**row._asdict(), "points": [point._asdict() for point in row.points]} for row in found.finds]
    facts = {"images": found.images, "pairs": found.pairs, "plain": found.low_detail, "alike": found.alike}
    print(dumps({**facts, "failures": len(found.failures), "methods": rows}), end="")


def _table(found: "CopiesFound") -> None:
    from twinpix.evaluation.copies import RATES
    from twinpix.evaluation.edits import EDITS
    from twinpix.text import plural

    left = [f"{plural(found.low_detail, 'image')} with too little texture"] * bool(found.low_detail)
    left += [f"{found.alike} similar to another"] * bool(found.alike)
    left += [f"{plural(len(found.failures), 'file')} could not be used"] * bool(found.failures)
    print(f"{plural(found.images, 'image')}, {len(EDITS)} edits each, {found.pairs:,} negative pairs", end="")
    print(f" (left out: {', '.join(left)})\n" if left else "\n")
    print("recall, with the radius in brackets, at a false-match rate of at most\n")
    width = max(len(row.spec) for row in found.finds)
    print(f"{'method':<{width}}  {'eight orientations':>18}" + "".join(f"{rate:>16g}" for rate in RATES))
    for row in found.finds:
        cells = {point.rate: f"{point.recall:.3f} ({_radius(point.radius)})" for point in row.points}
        orientations = "yes" if row.turns > 1 else "no"
        print(f"{row.spec:<{width}}  {orientations:>18}" + "".join(f"{cells.get(rate, '-'):>16}" for rate in RATES))
    if any(len(row.points) < len(RATES) for row in found.finds):
        print(f"\n-: too few pairs to estimate this rate; use {_images_needed(len(EDITS))} images or more")
    if any(point.radius < 0 for row in found.finds for point in row.points):
        print(f"\n{_NONE}")
    _advice(found)


def _radius(radius: float) -> str:
    return format_distance(radius) if radius >= 0 else "none"


def _images_needed(edits: int) -> int:
    """Return how many images make a million negative pairs."""
    return int((1_000_000 / edits) ** 0.5) + 2


def _advice(found: "CopiesFound") -> None:
    measured = [row for row in found.finds if row.points]
    if not measured:
        return
    for turns in (1, 8):
        rows = [row for row in measured if row.turns == turns]
        best = max(rows, key=lambda row: row.points[-1].recall)
        point = best.points[-1]
        if point.radius < 0:
            continue
        option = " --transforms" if turns > 1 else ""
        print(f"\nfor images like these: --method {best.spec} --radius {format_distance(point.radius)}{option}", end="")
        missed = [name for name, recall in best.by_edit.items() if recall < 0.5]
        print(f"\n  finds {point.recall:.0%} of the copies, and less than half of: {', '.join(missed) or 'nothing'}")
