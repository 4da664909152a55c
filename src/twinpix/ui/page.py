"""One self-contained HTML page of a report: every group with thumbnails, filters, failures; sends no requests.

The page has the facts of all groups as JSON and the thumbnails as text, one element for each chunk of groups. The
browser creates elements only for the visible groups, and decodes a chunk of thumbnails when one of its groups becomes
visible.
"""

import base64
import json
from collections.abc import Iterator, Mapping
from importlib.resources import files
from itertools import islice
from typing import Any

from twinpix import outputs
from twinpix.act.validate import Places
from twinpix.encoding.options import Options
from twinpix.encoding.session import open_session
from twinpix.model import Group, Report, format_distance
from twinpix.progress import Progress
from twinpix.report.text import summary
from twinpix.text import bytes_text, plural, printable
from twinpix.ui.thumbnails import Missing, Thumbnails, share

_CHUNK = 50  # groups
_GROUPS_IN_MEMORY = 20 * _CHUNK  # groups whose thumbnails are in memory together, made by one set of processes
_SIDES = ((3_000, 160), (15_000, 112), (60_000, 80))  # sides of a thumbnail in pixels, by the number of members
_LEAST = 64
_OUTSIDE = Missing("outside the folders that were scanned")
_MAX_THUMBNAILS = 60  # members of a group that have a thumbnail


def write_page(report: Report, path: str, workers: int = 0, *, force: bool = False) -> None:
    """Write the page of a report; relative paths of images start from the report's `base`.

    Raises `OutputError` if it cannot be written, `UsageError` for a file that is no page of twinpix unless `force` is
    given; an existing file is then unchanged. An image outside the folders of the report is not shown.
    """
    outputs.write(
        path, (part.encode("utf-8", "replace") for part in _parts(report, workers)), outputs.PAGE, force=force
    )


def _parts(report: Report, workers: int) -> Iterator[str]:
    head, tail = _template().split("<!--DATA-->")
    count = sum(min(_MAX_THUMBNAILS, len(group.members)) for group in report.groups)
    side = next((side for most, side in _SIDES if count <= most), _LEAST)
    places = Places(report)
    yield head
    yield _script("facts", {"chunk": _CHUNK, "side": side, **_facts(report)})
    yield _script("groups", [_group(group) for group in report.groups])
    groups = iter(report.groups)
    number = 0
    with open_session(Options(workers=workers, store=None), Progress()) as session:
        while some := list(islice(groups, _GROUPS_IN_MEMORY)):
            made = share(Thumbnails(side), filter(None, _paths(some, places)), session.executor) | {"": _OUTSIDE}
            for start in range(0, len(some), _CHUNK):
                yield f'<script type="text/plain" id="thumbs-{number}">\n'
                yield from _thumbs(some[start : start + _CHUNK], places, made)
                yield "</script>\n"
                number += 1
    yield tail


def _template() -> str:
    """Return the page without data; style and functions that `review` uses too are in it, so that it needs no files."""
    own = files("twinpix.ui")
    page, style, text = (
        own.joinpath(name).read_text(encoding="utf-8") for name in ("page.html", "shared/base.css", "shared/text.js")
    )
    return page.replace("/*BASE*/\n", style).replace("/*TEXT*/\n", text.replace("export ", ""))


def _script(name: str, value: Any) -> str:
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":")).replace("<", "\\u003c")
    return f'<script type="application/json" id="{name}">{text}</script>\n'


def _facts(report: Report) -> dict[str, Any]:
    return {
        "title": " ".join(map(printable, report.roots[:3])) + (" …" if len(report.roots) > 3 else ""),
        "summary": summary(report).splitlines()[0],
        "how": f"{report.spec}, radius {format_distance(report.radius)}, {report.link}, {report.created}",
        "radius": report.radius,
        "unit": report.unit,
        "failures": [[printable(f.path), f.stage, f.error] for f in report.failures],
        "guarded": [printable(item.path) for item in report.guarded],
        "damaged": [printable(name) for name in report.damaged],
        "similar": [[printable(pair.a), printable(pair.b)] for pair in report.similar],
    }


def _group(group: Group) -> dict[str, Any]:
    """Return a group for the page; members are arrays, which take half the space of objects."""
    pairs = group.to_keeper
    members = []
    for member in group.members:
        pair = pairs.get(member.path)
        keeps = member.path == group.keeper
        how = "keep" if keeps else pair.relation if pair else "matched via a third image"
        marks = [word for word, on in (("damaged", member.damaged), ("stays", group.stays(member) and not keeps)) if on]
        facts = f"{member.width}×{member.height}, {bytes_text(member.size)}"
        distance = pair.distance if pair and pair.distance is not None else -1
        row = [printable(member.path), how, distance, facts, marks, int(pair is not None and pair.identical)]
        members.append([*row, pair.detail] if pair and pair.detail else row)
    head = f"Group {group.id}: {plural(len(group.members), 'image')}, {bytes_text(group.bytes_reclaimable)} to reclaim"
    return {"head": head, "reason": group.reason, "members": members, "shown": min(_MAX_THUMBNAILS, len(group.members))}


def _thumbs(groups: list[Group], places: Places, made: Mapping[str, bytes | Missing]) -> Iterator[str]:
    """Yield one line for each member: base64 of its JPEG, or `!` and the reason why there is none."""
    for path in _paths(groups, places):
        image = made[path]
        if isinstance(image, Missing):
            yield "!" + " ".join(image.reason.replace("<", "‹").split()) + "\n"
        else:
            yield base64.b64encode(image).decode() + "\n"


def _paths(groups: list[Group], places: Places) -> Iterator[str]:
    """Return the absolute path of each member with a thumbnail, "" for one outside the report's folders."""
    return (places.of(member.path) for group in groups for member in group.members[:_MAX_THUMBNAILS])
