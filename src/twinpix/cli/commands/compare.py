"""`twinpix compare`."""

from typing import TYPE_CHECKING, Annotated

import typer

import twinpix
from twinpix.cli import common
from twinpix.cli.common import DecodeName
from twinpix.errors import Exit
from twinpix.model import format_distance

if TYPE_CHECKING:
    from twinpix.usecases.compare import Comparison


def compare(
    a: Annotated[str, typer.Argument(metavar="A", help="One image.")],
    b: Annotated[str, typer.Argument(metavar="B", help="Another.")],
    method: Annotated[
        str,
        typer.Option(
            "--method",
            "-m",
            metavar="SPEC",
            help="Method of the verdict: cascade (verification), or a hash or network (distance); see methods.",
        ),
    ] = "cascade",
    decode: common.DecodeOption = DecodeName.fast,
    explain: Annotated[
        str | None,
        typer.Option(
            "--explain",
            metavar="FILE",
            help="Also draw the evidence in one image: inlier keypoints, overlap and differences (.png, .jpg, .webp).",
        ),
    ] = None,
    timeout: common.TimeoutOption = 60.0,
    force: common.ForceOption = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    fail_if_found: Annotated[
        bool, typer.Option("--fail-if-found", help="Exit with 10 when they are copies of each other.")
    ] = False,
) -> int:
    """Compare two images: their distance by every method, verification on the pixels, and a verdict."""
    if explain:
        from twinpix.ui import explain as drawing

        drawing.require_writable(explain, (a, b), force=force)

    result = twinpix.compare(a, b, method=method, decode=decode.value, timeout=timeout)
    if explain:
        drawing.write_explanation(result, explain, force=force)
    _print_json(result) if as_json else _print(result, explain)
    return Exit.FOUND if fail_if_found and result.same else Exit.DONE


def _print(result: "Comparison", explain: str | None) -> None:
    print(f"{'method':<24}{'bits':>6}{'distance':>10}{'turned':>8}{'radius':>8}")
    for row in result.distances:
        mark = (
            "  match"
            if row.distance <= row.radius
            else "  match when rotated or mirrored"
            if row.turned <= row.radius
            else ""
        )
        print(
            f"{row.method:<24}{row.bits:>6}{format_distance(row.distance):>10}{format_distance(row.turned):>8}{format_distance(row.radius):>8}{mark}"
        )
    print(f"\nPDQ quality {result.qualities[0]} and {result.qualities[1]}, ", end="")
    print(f"detail score {result.detail_scores[0]} and {result.detail_scores[1]}")
    if result.seen and not result.by_pixels:
        print(f"verification: {result.seen}")
    print(f"verdict: {result.verdict}")
    if explain:
        print(f"explanation: {explain}")


def _print_json(result: "Comparison") -> None:
    from dataclasses import asdict

    from twinpix.report.json import dumps

    names = ("a", "b", "relation", "verdict", "same", "undecided", "by_pixels", "seen", "qualities", "detail_scores")
    value = {name: getattr(result, name) for name in names}
    verification = result.verification if result.by_pixels or result.same else None
    value["agreement"] = verification.agrees if verification else None
    value["rejection"] = verification.rejection if verification else None
    print(dumps({**value, "distances": [asdict(row) for row in result.distances]}), end="")
