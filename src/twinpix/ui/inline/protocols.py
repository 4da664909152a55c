"""Which way of drawing a terminal knows, and the bytes that draw a picture that way.

How the terminal is told, the first that fits:

| variable | value | protocol |
|---|---|---|
| `TWINPIX_TERMINAL` | iterm2, kitty, sixel, blocks | that one |
| `TERM` | has kitty or ghostty in it | kitty |
| `TERM` | has sixel in it, starts with foot, mlterm, yaft or contour | sixel |
| `TERM_PROGRAM` | iTerm.app, WezTerm, mintty, vscode | iterm2 |
| `TERM_PROGRAM` | ghostty | kitty |
| `LC_TERMINAL` | iTerm2, WezTerm, mintty | iterm2 |
| `KITTY_WINDOW_ID` | set | kitty |
| | anything else | blocks |

`TERM` goes first: each terminal sets its own, the others may come from a program the terminal was started from.
"""

import io
from base64 import b64encode
from collections.abc import Mapping
from typing import Literal, get_args

from PIL import Image

from twinpix.errors import UsageError
from twinpix.ui.inline.blocks import blocks
from twinpix.ui.inline.sixel import sixel

Protocol = Literal["iterm2", "kitty", "sixel", "blocks"]

PROTOCOLS: tuple[Protocol, ...] = get_args(Protocol)
_PROGRAMS: dict[str, Protocol] = {
    **dict.fromkeys(("iterm.app", "iterm2", "wezterm", "mintty", "vscode"), "iterm2"),
    "ghostty": "kitty",
}
_SIXEL_TERMS = ("foot", "mlterm", "yaft", "contour")
_CHUNK = 4096  # bytes: the most one kitty command may carry
_TMUX_MOST = 1_000_000  # bytes: longer sequences tmux drops


def detect(environment: Mapping[str, str]) -> Protocol:
    """What the terminal can show, by the environment alone; raises `UsageError` for a wrong TWINPIX_TERMINAL."""
    term = environment.get("TERM", "").lower()
    if forced := environment.get("TWINPIX_TERMINAL"):
        for protocol in PROTOCOLS:
            if forced == protocol:
                return protocol
        raise UsageError(f"TWINPIX_TERMINAL={forced}: choose one of {', '.join(PROTOCOLS)}")
    if "kitty" in term or "ghostty" in term:
        return "kitty"
    if "sixel" in term or term.startswith(_SIXEL_TERMS):
        return "sixel"
    for variable in ("TERM_PROGRAM", "LC_TERMINAL"):
        if known := _PROGRAMS.get(environment.get(variable, "").lower()):
            return known
    return "kitty" if environment.get("KITTY_WINDOW_ID") else "blocks"


def encode(image: Image.Image, protocol: Protocol, columns: int, environment: Mapping[str, str]) -> bytes:
    """The bytes that draw an image in a terminal of so many columns and start a new line.

    Only blocks are made to fit the columns. iTerm2 and kitty images pass through tmux where it has `allow-passthrough`
    on.
    """
    image = image.convert("RGB")
    if protocol == "blocks":
        return blocks(image, columns, environment.get("COLORTERM", "").lower() in ("truecolor", "24bit"))
    if protocol == "sixel":
        return sixel(image)
    tmux = bool(environment.get("TMUX")) or environment.get("TERM", "").startswith(("screen", "tmux"))
    return _iterm2(image, tmux) if protocol == "iterm2" else _kitty(image, tmux)


def _iterm2(image: Image.Image, tmux: bool) -> bytes:
    """https://iterm2.com/documentation-images.html; coarser where tmux would drop it, shown as large."""
    sent, data = image, _png(image)
    while tmux and len(data) * 4 // 3 > _TMUX_MOST:
        sent = sent.reduce(2)
        data = _png(sent)
    width = "" if sent is image else f";width={image.width}px"
    head = f"\x1b]1337;File=size={len(data)};inline=1{width}:".encode()
    return _passed(head + b64encode(data) + b"\a", tmux) + b"\n"


def _kitty(image: Image.Image, tmux: bool) -> bytes:
    """https://sw.kovidgoyal.net/kitty/graphics-protocol/; q=2: the terminal is not to answer."""
    data = b64encode(_png(image))
    out = []
    for start in range(0, len(data), _CHUNK):
        keys = b"a=T,f=100,q=2," if start == 0 else b""
        more = b"m=1;" if start + _CHUNK < len(data) else b"m=0;"
        out.append(_passed(b"\x1b_G" + keys + more + data[start : start + _CHUNK] + b"\x1b\\", tmux))
    return b"".join(out) + b"\n"


def _png(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def _passed(sequence: bytes, tmux: bool) -> bytes:
    """A sequence as tmux hands it on to the terminal outside."""
    return b"\x1bPtmux;" + sequence.replace(b"\x1b", b"\x1b\x1b") + b"\x1b\\" if tmux else sequence
