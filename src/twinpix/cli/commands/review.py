"""`twinpix review`."""

from typing import Annotated

import typer

from twinpix.cli import acting, common
from twinpix.errors import Exit, UsageError


def review(
    report: Annotated[str, typer.Argument(metavar="REPORT", help="A JSON report of find.")],
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
    try:
        from twinpix.review.serve import serve
    except ImportError as error:
        raise UsageError(f"review needs {error.name}; install twinpix[review]") from None
    if host not in ("127.0.0.1", "localhost", "::1"):
        acting.say(f"{host} is not this machine alone: whoever has the link sees the images and can move them")
    serve(report, common.options({"store": store, "no_store": no_store}), host=host, port=port, browser=not no_open)
    return Exit.DONE
