"""`twinpix query`."""

from typing import Annotated

import typer

import twinpix
from twinpix.cli import common
from twinpix.cli.common import DecodeName, StrictnessName
from twinpix.encoding.options import DEFAULT_METHOD
from twinpix.errors import Exit, UsageError
from twinpix.model import Failure, format_distance
from twinpix.progress.terminal import progress
from twinpix.usecases.hits import Hit


def query(
    image: Annotated[str, typer.Argument(metavar="IMAGE", help="The image to search for.")],
    paths: Annotated[
        list[str] | None, typer.Option("--in", metavar="PATH", help=f"{common.PATH_HELP} to search; may be repeated.")
    ] = None,
    codes: Annotated[
        str | None, typer.Option("--codes", metavar="FILE", help="Search a .jsonl file of encode instead.")
    ] = None,
    method: Annotated[
        str | None,
        typer.Option("--method", "-m", metavar="SPEC", help=f"Default: {DEFAULT_METHOD}, or the codes file's first."),
    ] = None,
    fast: common.FastOption = False,
    radius: common.RadiusOption = None,
    strictness: common.StrictnessOption = StrictnessName.normal,
    transforms: common.TransformsOption = None,
    search: common.SearchOption = "auto",
    table: common.TableOption = None,
    column: common.ColumnOption = "",
    id: common.IdOption = "",
    recursive: common.RecursiveOption = True,
    hidden: common.HiddenOption = False,
    follow_links: common.FollowOption = False,
    exclude: common.ExcludeOption = None,
    min_size: common.MinSizeOption = 0,
    min_pixels: common.MinPixelsOption = 0,
    verify: common.VerifyOption = None,
    guard: common.GuardOption = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    decode: common.DecodeOption = DecodeName.fast,
    device: common.DeviceOption = "",
    workers: common.WorkersOption = 0,
    executor: common.ExecutorOption = "local",
    timeout: common.TimeoutOption = 60.0,
    store: common.StoreOption = None,
    no_store: common.NoStoreOption = False,
    work: common.WorkOption = None,
    fail_if_found: Annotated[bool, typer.Option("--fail-if-found", help="Exit with 10 if there is a copy.")] = False,
) -> int:
    """Print the copies of IMAGE, the most similar first."""
    chosen = common.options(locals())
    from twinpix.report.json import dumps
    from twinpix.text import plural, printable

    if not (paths or table or codes):
        raise UsageError("name what to search: --in PATH, --table FILE or --codes FILE")
    if (paths or table) and codes:
        raise UsageError("give --in or --codes, not both")
    hits: list[Hit]
    failures: list[Failure] = []
    if codes:
        hits = twinpix.query_codes(image, codes, chosen, progress=progress())
    else:
        hits, failures = twinpix.query(image, paths or [], chosen, progress=progress())
    if as_json:
        print(dumps({"query": image, "hits": [hit._asdict() for hit in hits]}), end="")
    else:
        width = max((len(_in_words(hit)) for hit in hits), default=0)
        for hit in hits:
            print(f"{format_distance(hit.distance):>6}  {_in_words(hit):{width}}  {printable(hit.path)}{_id_of(hit)}")
        if not hits:
            print("no copy found")
    if failures:
        typer.echo(f"twinpix: {plural(len(failures), 'file')} could not be used", err=True)
        common.print_failures(failures)
    return Exit.FOUND if fail_if_found and hits else Exit.DONE


def _id_of(hit: "Hit") -> str:
    from twinpix.text import printable

    return f"  (id {printable(hit.id)})" if hit.id else ""


def _in_words(hit: "Hit") -> str:
    alike = f", {hit.agrees:.0%} alike" if hit.agrees is not None else ""
    return (hit.detail or hit.relation) + alike
