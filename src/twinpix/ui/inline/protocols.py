"""Detect the graphics protocol of a terminal, and encode an image in it.

The protocol is that of the first row that fits:

| variable | value | protocol |
|---|---|---|
| `TWINPIX_TERMINAL` | iterm2, kitty, sixel, blocks | the value |
| `TERM` | contains kitty or ghostty | kitty |
| `TERM` | contains sixel, or starts with foot, mlterm, yaft or contour | sixel |
| `TERM_PROGRAM` | iTerm.app, WezTerm, mintty, vscode | iterm2 |
| `TERM_PROGRAM` | ghostty | kitty |
| `LC_TERMINAL` | iTerm2, WezTerm, mintty | iterm2 |
| `KITTY_WINDOW_ID` | set | kitty |
| | anything else | blocks |

`TERM` precedes the others: every terminal sets it, while the others may be inherited from the program that started the
terminal.
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
_CHUNK = 4096  # bytes: the largest payload of one kitty command
_TMUX_MOST = 1_000_000  # bytes: tmux drops longer sequences


def detect(environment: Mapping[str, str]) -> Protocol:
    """Return the protocol of the terminal, from the environment alone; raises `UsageError` for a wrong value.

    Only `TWINPIX_TERMINAL` is checked.
    """
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
    """Return the bytes that draw an image in a terminal of `columns` columns and start a new line.

    Only blocks are scaled to fit the columns. In tmux, iTerm2 and kitty images are shown only if the option
    `allow-passthrough` is on.
    """
    image = image.convert("RGB")
    if protocol == "blocks":
        return blocks(image, columns, environment.get("COLORTERM", "").lower() in ("truecolor", "24bit"))
    if protocol == "sixel":
        return sixel(image)
    tmux = bool(environment.get("TMUX")) or environment.get("TERM", "").startswith(("screen", "tmux"))
    return _iterm2(image, tmux) if protocol == "iterm2" else _kitty(image, tmux)


def _iterm2(image: Image.Image, tmux: bool) -> bytes:
    """Encode an image by https://iterm2.com/documentation-images.html.

    In tmux, an image that is too long for it is sent at a lower resolution and shown in the same size.
    """
    sent, data = image, _png(image)
    while tmux and len(data) * 4 // 3 > _TMUX_MOST:
        sent = sent.reduce(2)
        data = _png(sent)
    width = "" if sent is image else f";width={image.width}px"
    head = f"\x1b]1337;File=size={len(data)};inline=1{width}:".encode()
    return _wrap_for_tmux(head + b64encode(data) + b"\a", tmux) + b"\n"


def _kitty(image: Image.Image, tmux: bool) -> bytes:
    """Encode an image by https://sw.kovidgoyal.net/kitty/graphics-protocol/; q=2 suppresses the terminal's response."""
    data = b64encode(_png(image))
    out = []
    for start in range(0, len(data), _CHUNK):
        keys = b"a=T,f=100,q=2," if start == 0 else b""
        more = b"m=1;" if start + _CHUNK < len(data) else b"m=0;"
        out.append(_wrap_for_tmux(b"\x1b_G" + keys + more + data[start : start + _CHUNK] + b"\x1b\\", tmux))
    return b"".join(out) + b"\n"


def _png(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def _wrap_for_tmux(sequence: bytes, tmux: bool) -> bytes:
    """Return a sequence, in tmux wrapped so that tmux passes it through to the outer terminal."""
    return b"\x1bPtmux;" + sequence.replace(b"\x1b", b"\x1b\x1b") + b"\x1b\\" if tmux else sequence
