"""Start the server of a sitting, open the browser, and end with Ctrl-C or from the page."""

import contextlib
import os
import signal
import socket
import sys
import webbrowser
from collections.abc import Callable

import uvicorn

from twinpix.encoding.options import Options
from twinpix.errors import UsageError, system_reason
from twinpix.progress import Progress
from twinpix.review.desk import Desk
from twinpix.review.security import Guard, new_token
from twinpix.review.server import application

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

    `report` is the path of a report, or a function that makes one while the page shows its progress. Raises
    `UsageError` if the address cannot be used, and the errors of reading or making the report.
    """
    bound = _bind(host, port)
    with contextlib.closing(bound), contextlib.closing(Desk(options)) as desk:
        if isinstance(report, str):
            desk.open(report)
        _run(bound, host, desk, None if isinstance(report, str) else report, progress or Progress(), browser, say)
    if desk.error is not None:
        raise desk.error


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
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
    bound: socket.socket,
    host: str,
    desk: Desk,
    find: Callable[[Progress], str] | None,
    progress: Progress,
    browser: bool,
    say: Callable[[str], None],
) -> None:
    token, port = new_token(), bound.getsockname()[1]
    shown, *others = own_names(host)
    names = {f"{name}:{port}" for name in (shown, *others)}
    server: uvicorn.Server

    def stop() -> None:
        server.should_exit = True

    def fault(error: Exception) -> None:
        if not server.should_exit:
            say(f"a request failed: {type(error).__name__}: {error}")

    app = Guard(application(desk, stop, fault), token, names)
    config = uvicorn.Config(
        app, log_level="critical", access_log=False, server_header=False, timeout_graceful_shutdown=_CLOSE_SECONDS
    )
    server = uvicorn.Server(config)
    link = f"http://{shown}:{port}/?token={token}"
    say(f"review: {link}")
    say("Ctrl-C ends it; decisions are kept.")
    sys.stdout.flush()
    if browser:
        webbrowser.open(link)
    if find is not None:
        desk.find(find, progress, stop)
    before = signal.getsignal(signal.SIGINT)
    try:
        server.run(sockets=[bound])
    except KeyboardInterrupt:  # uvicorn raises it again after it has ended
        say("")
    finally:
        signal.signal(signal.SIGINT, before)
