"""Who may use the page: the browser that was opened with the token of this run, on this machine, and no other site."""

import hmac
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

LARGEST_BODY = 1 << 20
"""Bytes of a request's body: the page sends lists of group numbers, never images."""

LARGEST_FILE = 256 << 20
"""Bytes of a file of decisions, of which each takes 150."""

_COOKIE = "twinpix-review"
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = (
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
)


@dataclass
class Guard:
    """ASGI middleware that refuses requests of other programs and sites.

    `hosts` are the names under which the page may be asked for: a request with another one comes from a site whose
    name leads to this machine (DNS rebinding). The first link has the token, which becomes a cookie that scripts cannot
    read and other sites cannot send.
    """

    app: ASGIApp
    token: str
    hosts: Collection[str]
    _names: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        self._names = frozenset(host.lower() for host in self.hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "websocket":
                await receive()
                await send({"type": "websocket.close", "code": 1008})
                return
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        answer = _with_headers(send)
        if headers.get("host", "").lower() not in self._names:
            await PlainTextResponse("unknown host", 421)(scope, receive, answer)
        elif scope["path"] == "/" and (given := _query_token(scope)):
            await self._first(given)(scope, receive, answer)
        elif not hmac.compare_digest(_cookie(headers), self.token):
            text = "This page belongs to another run of twinpix review: open the link that the terminal shows."
            await PlainTextResponse(text, 403)(scope, receive, answer)
        elif scope["method"] not in ("GET", "HEAD") and not self._is_ours(headers):
            await PlainTextResponse("the request comes from another site", 403)(scope, receive, answer)
        elif int(headers.get("content-length") or 0) > _limit(scope):
            await PlainTextResponse("the request is too large", 413)(scope, receive, answer)
        else:
            await self.app(scope, _bounded(receive, _limit(scope)), answer)

    def _first(self, given: str) -> PlainTextResponse | RedirectResponse:
        """Answer the first link: set the cookie, and lead to an address without the token."""
        if not hmac.compare_digest(given, self.token):
            return PlainTextResponse("This link is of another run: open the one that the terminal shows.", 403)
        answer = RedirectResponse("/", 303)
        answer.set_cookie(_COOKIE, self.token, httponly=True, samesite="strict", path="/")
        return answer

    def _is_ours(self, headers: Headers) -> bool:
        """True for a request that a page of this server sent: browsers name the origin of each such request."""
        origin = headers.get("origin", "")
        scheme, _, host = origin.partition("://")
        return scheme == "http" and host.lower() in self._names


def _query_token(scope: Scope) -> str:
    query = bytes(scope["query_string"]).decode("ascii", "replace")
    name, _, value = query.partition("=")
    return value if name == "token" else ""


def _cookie(headers: Headers) -> str:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(_COOKIE)
    except CookieError:
        return ""
    return found.value if found and found.value.isascii() else ""


def _limit(scope: Scope) -> int:
    return LARGEST_FILE if scope["path"] == "/api/decisions" else LARGEST_BODY


def _bounded(receive: Receive, left: int) -> Receive:
    """Return a `receive` that fails after `left` bytes, whatever length the request names."""

    async def bounded() -> dict[str, object]:
        nonlocal left
        message = await receive()
        left -= len(message.get("body", b""))
        if left < 0:
            raise ValueError("the request is too large")
        return dict(message)

    return bounded


def _with_headers(send: Send) -> Callable[..., Awaitable[None]]:
    async def sending(message: dict[str, object]) -> None:
        if message["type"] == "http.response.start":
            headers = message.setdefault("headers", [])
            assert isinstance(headers, list)
            headers.extend(_HEADERS)
        await send(message)

    return sending
