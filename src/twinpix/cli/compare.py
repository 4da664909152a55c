"""`twinpix compare`."""

from typing import Annotated

import typer

from twinpix.cli import common
from twinpix.cli.common import DecodeName
from twinpix.errors import Exit
from twinpix.model import shown


def compare(
    a: Annotated[str, typer.Argument(metavar="A", help="One image.")],
    b: Annotated[str, typer.Argument(metavar="B", help="Another.")],
    method: Annotated[
        str,
        typer.Option(
            "--method",
            "-m",
            metavar="SPEC",
            help="What gives the verdict: cascade, the pixels; or a hash or a network, by its distance (see methods).",
        ),
    ] = "cascade",
    decode: common.DecodeOption = DecodeName.fast,
    explain: Annotated[
        str | None,
        typer.Option(
            "--explain",
            metavar="FILE",
            help="Also draw why, in one picture: the points that lie on each other, what both show, "
            "what differs (.png, .jpg, .webp).",
        ),
    ] = None,
    force: common.ForceOption = False,
) -> int:
    """Print how far apart two images are by every method, what their pixels say, and a verdict."""
    if explain:
        from twinpix.plots import explain as drawing

        drawing.require_writable(explain, (a, b), force=force)
    from twinpix import pipeline

    result = pipeline.compare(a, b, method=method, decode=decode.value)
    print(f"{'method':<24}{'bits':>6}{'distance':>10}{'turned':>8}{'radius':>8}")
    for row in result.distances:
        mark = "  match" if row.distance <= row.radius else "  match when turned" if row.turned <= row.radius else ""
        print(
            f"{row.method:<24}{row.bits:>6}{shown(row.distance):>10}{shown(row.turned):>8}{shown(row.radius):>8}{mark}"
        )
    print(f"\nPDQ quality {result.qualities[0]} and {result.qualities[1]}, ", end="")
    print(f"information {result.information[0]} and {result.information[1]}")
    if result.seen and not result.by_pixels:
        print(f"second look: {result.seen}")
    print(f"verdict: {result.verdict}")
    if explain:
        drawing.write_explanation(result, explain, force=force)
        print(f"explained: {explain}")
    return Exit.DONE
