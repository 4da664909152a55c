"""Start the server of a sitting, open the browser, and end with Ctrl-C or from the page."""

import contextlib
import os
import secrets
import signal
import socket
import sys
import webbrowser
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from twinpix.encoding.options import Options
from twinpix.errors import UsageError, system_reason
from twinpix.progress import Progress
from twinpix.review.desk import Desk

if TYPE_CHECKING:
    import uvicorn

_CLOSE_SECONDS = 2  # for requests in progress when the server ends


def serve(
    report: str | Callable[[Progress], str],
    options: Options,
    *,
    host: str,
    port: int,
    browser: bool,
    progress: Progress | None = None,
    say: Callable[[str], None] = print,
) -> None:
    """Serve the page of a report until the user ends it.

    `report` is the path of a report, or a function that makes one while the page shows its progress. The browser is
    opened at once: the report is read while the server starts. Raises `UsageError` if the address cannot be used, and
    the errors of reading or making the report.
    """
    bound = _bind(host, port)
    with contextlib.closing(bound), contextlib.closing(Desk(options)) as desk:
        token, names = secrets.token_urlsafe(32), own_names(host)
        link = f"http://{names[0]}:{bound.getsockname()[1]}/?token={token}"
        ending = Ending()
        desk.begin(report, progress or Progress(), ending)
        say(f"review: {link}")
        say("Ctrl-C ends it; decisions are kept.")
        sys.stdout.flush()
        if browser:
            webbrowser.open(link)
        _run(bound, names, token, desk, ending, say)
    if desk.error is not None:
        raise desk.error


class Ending:
    """Ends the server, also one that has not started yet."""

    def __init__(self) -> None:
        self.asked = False
        self.server: uvicorn.Server | None = None

    def __call__(self) -> None:
        self.asked = True
        if self.server is not None:
            self.server.should_exit = True


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Only sockets that name their protocol get TCP_NODELAY from asyncio; without it each answer takes 40 ms more.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name != "nt":  # there it would allow a second server on the same port
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
        bound.listen()  # the browser may ask before the server answers
    except OSError as error:
        bound.close()
        what = f"port {port}" if port else "the address"
        raise UsageError(f"{what} on {host} cannot be used: {system_reason(error)}; choose another one") from None
    return bound


def own_names(host: str) -> list[str]:
    """Return the names under which the page may be asked for, the one of the link first.

    A server that listens on all addresses of the machine is asked for by the machine's name or by one of its addresses.
    """
    loopback = ["127.0.0.1", "localhost", "[::1]"]
    if host not in ("0.0.0.0", "::"):  # noqa: S104 - the user asked for it
        name = f"[{host}]" if ":" in host else host
        return list(dict.fromkeys([name, *loopback]))
    found = [socket.gethostname()]
    try:
        found += [str(info[4][0]) for info in socket.getaddrinfo(found[0], None)]
    except OSError:  # the machine does not know its own name
        return [*loopback, *found]
    return list(dict.fromkeys([*(f"[{name}]" if ":" in name else name for name in found), *loopback]))


def _run(
    bound: socket.socket, hosts: Sequence[str], token: str, desk: Desk, ending: Ending, say: Callable[[str], None]
) -> None:
    import uvicorn

    from twinpix.review.security import Guard
    from twinpix.review.server import application

    def fault(error: Exception) -> None:
        if not ending.asked:
            say(f"a request failed: {type(error).__name__}: {error}")

    names = {f"{name}:{bound.getsockname()[1]}" for name in hosts}
    config = uvicorn.Config(
        Guard(application(desk, ending, fault), token, names),
        log_level="critical",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_CLOSE_SECONDS,
    )
    ending.server = uvicorn.Server(config)
    if ending.asked:  # meanwhile
        ending.server.should_exit = True
    before = signal.getsignal(signal.SIGINT)
    try:
        ending.server.run(sockets=[bound])
    except KeyboardInterrupt:  # uvicorn raises it again after it has ended
        say("")
    finally:
        ending.asked = True
        signal.signal(signal.SIGINT, before)
