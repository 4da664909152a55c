"""The web server of a sitting: JSON for the page, its images by number, and its own files; on this machine only."""

import asyncio
import contextlib
import json
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib.resources import files
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from twinpix.act.decisions import Verdict
from twinpix.errors import TwinpixError
from twinpix.executors import Lost
from twinpix.review.acts import ACTIONS, Acts
from twinpix.review.desk import Desk, NotReadyError
from twinpix.review.index import ORDERS, PAGE, Filter
from twinpix.review.pictures import LARGEST_SIDE, Differs, Laid, Tags, Unreadable, View
from twinpix.review.rules import Rule, rules_of
from twinpix.review.sitting import Sitting

THUMBNAIL = 320
"""Pixels of the longer side of a thumbnail."""

_TYPES = {"css": "text/css", "js": "text/javascript", "html": "text/html", "svg": "image/svg+xml"}
_SHOWN, _SMALL, _AHEAD = 0.0, 0.5, 1.0  # urgency of what is compared, of thumbnails, and of what may be next


def application(desk: Desk, stop: Callable[[], None], fault: Callable[[Exception], None]) -> Starlette:
    """Return the web application.

    `stop` is called when the user ends it from the page, `fault` with an error that no request should cause.
    """
    return _Pages(desk, stop, fault).application()


class _Pages:
    """The answers to requests."""

    def __init__(self, desk: Desk, stop: Callable[[], None], fault: Callable[[Exception], None]) -> None:
        self.desk, self.stop, self.fault = desk, stop, fault
        static = files("twinpix.review").joinpath("static"), files("twinpix.ui").joinpath("shared")
        self.static = {entry.name: entry.read_bytes() for each in static for entry in each.iterdir() if entry.is_file()}

    @property
    def sitting(self) -> Sitting:
        return self.desk.sitting

    @property
    def acts(self) -> Acts:
        return self.desk.acts

    def application(self) -> Starlette:
        routes = [
            Route("/", self.page),
            Route("/static/{name}", self.file),
            Route("/api/head", self.head),
            Route("/api/groups", self.groups),
            Route("/api/groups/{group:int}", self.group),
            Route("/api/groups/{group:int}/place", self.place),
            Route("/api/groups/{group:int}/decision", self.decide, methods=["POST"]),
            Route("/api/decide-groups", self.decide_groups, methods=["POST"]),
            Route("/api/decide-all", self.decide_all, methods=["POST"]),
            Route("/api/take-back", self.take_back, methods=["POST"]),
            Route("/api/decisions", self.decisions),
            Route("/api/decisions", self.merge, methods=["POST"]),
            Route("/api/pairs/{a:int}/{b:int}", self.pair),
            Route("/api/tags/{image:int}", self.tags),
            Route("/api/act", self.act, methods=["POST"]),
            Route("/api/rules", self.rules),
            Route("/api/task", self.task),
            Route("/api/journals", self.journals),
            Route("/api/quit", self.quit, methods=["POST"]),
            Route("/images/{image:int}", self.image),
            Route("/differences/{a:int}/{b:int}", self.difference),
        ]
        return Starlette(
            routes=routes,
            exception_handlers={
                NotReadyError: _not_ready,
                TwinpixError: _refused,
                KeyError: _missing,
                Exception: self.failed,
            },
        )

    async def failed(self, request: Request, error: Exception) -> Response:
        """Answer a request that failed by a fault of the program; the terminal shows it."""
        self.fault(error)
        return JSONResponse({"error": f"the server failed: {type(error).__name__}; the terminal shows more"}, 500)

    # -- the page ------------------------------------------------------------------------------------------

    async def page(self, request: Request) -> Response:
        return Response(self.static["page.html"], media_type="text/html", headers={"cache-control": "no-store"})

    async def file(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in self.static:
            raise HTTPException(404)
        kind = _TYPES[name.rpartition(".")[2]]
        return Response(self.static[name], media_type=kind, headers={"cache-control": "no-cache"})

    async def head(self, request: Request) -> Response:
        """Return what the page shows of the report, or of the run of `find` while there is none."""
        finding = await run_in_threadpool(self.desk.finding)
        if finding is not None:
            return JSONResponse({"finding": finding})
        head = self.sitting.head
        facts = head._asdict()
        facts["complete"] = await run_in_threadpool(lambda: self.sitting.complete)
        choices = await run_in_threadpool(self.sitting.index.choices)
        more = {"actions": ACTIONS, "orders": list(ORDERS), "largest": LARGEST_SIDE}
        return JSONResponse({**facts, **more, "choices": choices, "states": self.sitting.index.states()})

    # -- groups --------------------------------------------------------------------------------------------

    async def groups(self, request: Request) -> Response:
        chosen, order = _filter(request.query_params), _order(request.query_params)
        start, number = _number(request.query_params, "start"), _number(request.query_params, "number", PAGE)
        index = self.sitting.index
        complete = await run_in_threadpool(lambda: self.sitting.complete)  # notes the decisions that are known
        count, images, size = await run_in_threadpool(index.count, chosen)
        groups = await run_in_threadpool(index.groups, chosen, order, start, number)
        facts = {"count": count, "images": images, "bytes": size, "states": index.states()}
        return JSONResponse({**facts, "groups": groups, "complete": complete})

    async def group(self, request: Request) -> Response:
        number = request.path_params["group"]
        found = await run_in_threadpool(self.sitting.index.group, number)
        if found is None:
            raise KeyError(number)
        now = await run_in_threadpool(self.sitting.changes, number)
        decision = await run_in_threadpool(self.sitting.decision, number)
        return JSONResponse({**found, "decision": decision, "changes": now})

    async def place(self, request: Request) -> Response:
        chosen, order = _filter(request.query_params), _order(request.query_params)
        at = await run_in_threadpool(self.sitting.index.place_of, request.path_params["group"], chosen, order)
        return JSONResponse({"place": at})

    # -- decisions -----------------------------------------------------------------------------------------

    async def decide(self, request: Request) -> Response:
        """Store a decision: `{"keeper": image, "verdicts": {image: verdict}}`, or `{}` to make the group undecided."""
        body, group = await _body(request), request.path_params["group"]
        if not body:
            await run_in_threadpool(self.sitting.reopen, group)
            return JSONResponse({"decision": None, "state": ""})
        try:
            verdicts = {int(number): Verdict(word) for number, word in dict(body.get("verdicts") or {}).items()}
            keeper = int(body["keeper"])
        except (ValueError, TypeError, KeyError):
            raise HTTPException(400, "not a decision") from None
        await run_in_threadpool(self.sitting.decide, group, keeper, verdicts, f"group {group}")
        found = await run_in_threadpool(self.sitting.index.group, group)
        decision = await run_in_threadpool(self.sitting.decision, group)
        return JSONResponse({"decision": decision, "state": found["state"] if found else ""})

    async def decide_groups(self, request: Request) -> Response:
        """Decide selected groups as one batch: `{"groups": [group], "verdict": verdict}`."""
        body = await _body(request)
        try:
            verdict = Verdict(str(body.get("verdict")))
            groups = [int(number) for number in list(body.get("groups") or [])]
        except (ValueError, TypeError):
            raise HTTPException(400, "not a decision") from None
        return JSONResponse(await run_in_threadpool(self.sitting.decide_groups, groups, verdict))

    async def rules(self, request: Request) -> Response:
        """Return the keep rules, for the form of `decide_all`."""
        return JSONResponse(await run_in_threadpool(rules_of, self.sitting.head.keep))

    async def decide_all(self, request: Request) -> Response:
        """Decide all filtered groups that are undecided by a rule; without `apply` only count."""
        body = await _body(request)
        chosen = _filter({str(name): str(value) for name, value in dict(body.get("filter") or {}).items()})
        rule = Rule(
            tuple(str(relation) for relation in list(body.get("only") or [])),
            str(body.get("below") or ""),
            bool(body.get("more_pixels")),
            str(body.get("keep") or ""),
        )
        await run_in_threadpool(self.sitting.wait)
        found = await run_in_threadpool(self.sitting.accept, chosen, rule, apply=bool(body.get("apply")))
        return JSONResponse(found)

    async def take_back(self, request: Request) -> Response:
        return JSONResponse({"what": await run_in_threadpool(self.sitting.take_back)})

    async def decisions(self, request: Request) -> Response:
        """Return all decisions as a file."""
        lines = await run_in_threadpool(lambda: "".join(self.sitting.decisions.export()))
        headers = {"content-disposition": 'attachment; filename="decisions.jsonl"', "cache-control": "no-store"}
        return Response(lines, media_type="application/jsonl", headers=headers)

    async def merge(self, request: Request) -> Response:
        """Add the decisions of a file, which is the body of the request."""
        data = await request.body()
        handle, path = tempfile.mkstemp(suffix=".jsonl")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            changed = await run_in_threadpool(self.sitting.merge, path)
        finally:
            with contextlib.suppress(OSError):
                os.remove(path)
        return JSONResponse({"changed": changed})

    # -- images --------------------------------------------------------------------------------------------

    async def image(self, request: Request) -> Response:
        """Return an image of the report as a JPEG, at most `side` pixels wide and high."""
        side = _number(request.query_params, "side", THUMBNAIL)
        path = self._path(request.path_params["image"])
        urgency = _SMALL if side <= THUMBNAIL else _urgency(request)
        made = await self._ask(View(path, max(16, min(side, LARGEST_SIDE))), urgency)
        return Response(made, media_type="image/jpeg", headers={"cache-control": "private, max-age=3600"})

    async def pair(self, request: Request) -> Response:
        """Return how an image is laid on another one."""
        a, b = (self._path(request.path_params[name]) for name in ("a", "b"))
        return JSONResponse((await self._ask(Laid(a, b), _urgency(request)))._asdict())

    async def difference(self, request: Request) -> Response:
        a, b = (self._path(request.path_params[name]) for name in ("a", "b"))
        made = await self._ask(Differs(a, b))
        facts = {"to_a": made.to_a, "blocks": made.blocks, "differing": made.differing}
        headers = {"x-facts": json.dumps(facts), "cache-control": "private, max-age=3600"}
        return Response(made.png, media_type="image/png", headers=headers)

    async def tags(self, request: Request) -> Response:
        """Return the EXIF tags of an image, by name."""
        return JSONResponse(await self._ask(Tags(self._path(request.path_params["image"]))))

    def _path(self, image: int) -> str:
        path = self.sitting.place_of(image)
        if path is None:
            raise KeyError(image)
        return path

    async def _ask(self, request: View | Laid | Differs | Tags, urgency: float = _SHOWN) -> Any:
        future = self.sitting.ask(request, urgency)
        try:
            answer = await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            if future.cancelled():  # the server ends
                raise HTTPException(503, "the review has ended") from None
            future.cancel()  # the browser needs it no more
            raise
        if isinstance(answer, Lost | Unreadable):
            raise HTTPException(422, answer.reason)
        return answer

    # -- acts ----------------------------------------------------------------------------------------------

    async def act(self, request: Request) -> Response:
        """Begin to plan, apply or undo."""
        body = await _body(request)
        what, action = str(body.get("what")), str(body.get("action"))
        folder, sidecars = str(body.get("folder") or ""), str(body.get("sidecars") or "same")
        if what in ("plan", "apply") and action not in ACTIONS:
            raise HTTPException(400, "no such action")
        if what == "plan":
            begun = self.acts.plan(action, folder, sidecars)
        elif what == "apply":
            begun = self.acts.apply(action, folder, sidecars, str(body.get("confirmed") or ""))
        elif what == "undo":
            begun = self.acts.undo(str(body.get("journal")))
        else:
            raise HTTPException(400, "no such act")
        if not begun:
            raise HTTPException(409, "another act is running: wait until it ends")
        return JSONResponse({})

    async def task(self, request: Request) -> Response:
        task = self.acts.task
        return JSONResponse(task.as_plain() if task else None)

    async def journals(self, request: Request) -> Response:
        return JSONResponse(await run_in_threadpool(self.acts.journals))

    async def quit(self, request: Request) -> Response:
        self.stop()
        return JSONResponse({})


# -- requests ----------------------------------------------------------------------------------------------


async def _body(request: Request) -> dict[str, Any]:
    try:
        value = await request.json()
    except ValueError:
        raise HTTPException(400, "not JSON") from None
    if not isinstance(value, dict):
        raise HTTPException(400, "not an object")
    return value


def _urgency(request: Request) -> float:
    return _AHEAD if request.headers.get("x-ahead") else _SHOWN


def _filter(given: Mapping[str, str]) -> Filter:
    """Return the filter that a request names; raises `HTTPException` for a number that is none."""
    made = Filter(
        text=given.get("text", ""),
        relations=_words(given.get("relations", "")),
        formats=_words(given.get("formats", "")),
        folder=given.get("folder", ""),
        other_folder=given.get("other_folder", ""),
        min_bytes=_number(given, "min_bytes"),
        min_size=_number(given, "min_size"),
        state=given.get("state", ""),
        warned=bool(given.get("warned")),
    )
    if not given.get("certainty"):
        return made
    try:
        return replace(made, certainty=float(given["certainty"]))
    except ValueError:
        raise HTTPException(400, "certainty is no number") from None


def _words(text: str) -> tuple[str, ...]:
    return tuple(filter(None, text.split(",")))


def _number(given: Mapping[str, str], name: str, default: int = 0) -> int:
    text = given.get(name) or str(default)
    if not text.isdecimal() or len(text) > 15:
        raise HTTPException(400, f"{name} is no number")
    return int(text)


def _order(given: Mapping[str, str]) -> str:
    order = given.get("order", "bytes")
    if order not in ORDERS:
        raise HTTPException(400, "no such order")
    return order


async def _refused(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, 400)


async def _not_ready(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, 503)


async def _missing(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": "the report has no such image or group"}, 404)
