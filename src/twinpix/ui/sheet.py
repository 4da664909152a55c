"""A group on one sheet: every member, with a frame around the keeper."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from twinpix.model import DistanceUnit, Group, Match, Member, file_name, locate
from twinpix.report import describe_difference
from twinpix.text import bytes_text, plural
from twinpix.ui import figure
from twinpix.ui.thumbnails import Missing, load_thumbnail

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLUMNS, _MAX_MEMBERS = 4, 40


def group_sheet(group: Group, unit: DistanceUnit, base: str = "") -> "Figure":
    """Draw the members of a group (at most forty), with name, relation, distance and size.

    `unit` is that of the distances of the report; paths start from `base`.
    """
    shown = group.members[:_MAX_MEMBERS]
    columns = min(_COLUMNS, len(shown))
    rows = math.ceil(len(shown) / columns)
    out = figure.new(max(6.4, 2.9 * columns), 0.8 + 3.1 * rows)
    more = f", {len(group.members) - _MAX_MEMBERS} more not shown" if len(group.members) > _MAX_MEMBERS else ""
    title = f"Group {group.id}: {plural(len(group.members), 'image')}, {bytes_text(group.bytes_reclaimable)} to reclaim"
    out.suptitle(f"{title}{more}", x=0.01, ha="left", fontsize=12)
    pairs = group.to_keeper
    for at, member in enumerate(shown):
        how = f"keep: {group.reason}" if member.path == group.keeper else _how(group, member, pairs, unit)
        _cell(out.add_subplot(rows, columns, at + 1), member, member.path == group.keeper, how, base)
    return out


def _cell(axes: "Axes", member: Member, keeps: bool, how: str, base: str) -> None:
    image = load_thumbnail(locate(base, member.path), 360)
    if isinstance(image, Missing):
        axes.text(0.5, 0.5, f"cannot be shown:\n{image.reason}", ha="center", va="center", wrap=True, color="#666666")
        axes.set_aspect(0.75)
    else:
        axes.imshow(image)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set(visible=keeps, color=figure.KEPT, linewidth=4)
    size = f"{member.width}×{member.height}, {bytes_text(member.size)}"
    name = figure.shorten(file_name(member.path), 34).replace("$", r"\$")
    axes.set_xlabel(f"{name}\n{figure.shorten(how, 38)}\n{size}", fontsize=9, color="black", loc="left")


def _how(group: Group, member: Member, pairs: Mapping[str, Match], unit: DistanceUnit) -> str:
    pair = pairs.get(member.path)
    how = describe_difference(pair, unit) if pair else "matched via a third image"
    return how + (", stays" if group.stays(member) else "") + (", damaged" if member.damaged else "")
