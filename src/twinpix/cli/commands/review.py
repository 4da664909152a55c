"""`twinpix review`."""

from functools import partial
from importlib.util import find_spec
from typing import Annotated

import typer

from twinpix.cli import acting, common, finding
from twinpix.errors import Exit, UsageError


def review(
    paths: Annotated[
        list[str],
        typer.Argument(metavar="REPORT|PATH...", help="A JSON report of find, or what find takes: then it runs first."),
    ],
    no_open: Annotated[bool, typer.Option("--no-open", help="Print the link, and open no browser.")] = False,
    port: Annotated[int, typer.Option("--port", metavar="N", help="Port of the page; default: any free one.")] = 0,
    host: Annotated[
        str,
        typer.Option(
            "--host", metavar="ADDRESS", help="Address to listen on. Any but this machine's own shows images to others."
        ),
    ] = "127.0.0.1",
    store: common.StoreOption = None,
    no_store: common.NoStoreOption = False,
) -> int:
    """Review the groups of a report in the browser: compare, decide, act, and take everything back.

    The page is on this machine only. Every decision is written at once, by the content of the images: it holds for
    later reports and renamed files. Acts use the same journal and checks as resolve, and undo reverses them.
    """
    if not 0 <= port <= 65535:
        raise UsageError(f"a port is between 0 and 65535, not {port}")
    missing = next((name for name in ("starlette", "uvicorn") if find_spec(name) is None), "")
    if missing:
        raise UsageError(f"review needs {missing}; install twinpix[review]")
    from twinpix.progress.terminal import progress
    from twinpix.review.serve import serve

    if host not in ("127.0.0.1", "localhost", "::1"):
        acting.say(f"{host} is not this machine alone: whoever has the link sees the images and can move them")
    given: dict[str, object] = {"store": store, "no_store": no_store}
    options = common.options(given)
    report = paths[0] if finding.is_report(paths) else partial(finding.find_report, paths, options)
    serve(report, options, host=host, port=port, browser=not no_open, progress=progress())
    return Exit.DONE
