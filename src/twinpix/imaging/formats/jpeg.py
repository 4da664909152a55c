"""The structure of JPEG files: markers, scans and Huffman tables, without decoding the image.

Source: ITU-T T.81 (https://www.w3.org/Graphics/JPEG/itu-t81.pdf), sections B and G.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

SOS, EOI = b"\xff\xda", b"\xff\xd9"
_SOF = re.compile(rb"\xff[\xc0-\xc3\xc5-\xc7\xc9-\xcb\xcd-\xcf]")
_ENTROPY_END = re.compile(rb"\xff+[\x01-\xcf\xd8-\xfe]")
_MAX_HEADER = 4096  # maximum number of markers before the first scan


def first_scan(data: bytes) -> tuple[int, bool]:
    """Return the start of the first scan's header, and whether the file is progressive; (-1, False) if not found."""
    at, progressive = 2, False
    for _ in range(_MAX_HEADER):
        while data[at : at + 2] == b"\xff\xff":
            at += 1
        marker = data[at : at + 2]
        if len(marker) < 2 or marker[0] != 0xFF:
            return -1, False
        if marker == SOS:
            return at, progressive
        if _SOF.match(marker):
            progressive = marker[1] in (0xC2, 0xC6, 0xCA, 0xCE)
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return -1, False


def is_complete(data: bytes) -> bool:
    """True if there is an end marker in the last 64 KiB."""
    return data.rfind(EOI, max(0, len(data) - 65536)) >= 0


def entropy_end(data: bytes, scan: int) -> int:
    """Return the end of the scan whose header starts at `scan`: the next marker that is not a restart marker."""
    start = scan + 2 + int.from_bytes(data[scan + 2 : scan + 4], "big")
    found = _ENTROPY_END.search(data, start)
    return found.start() if found else len(data)


def coarse(data: bytes) -> bytes:
    """Return a complete progressive file truncated to the scans that a decode at scale 1/8 needs.

    At scale 1/8 each block is its DC coefficient. The first scan of a progressive file has all DC coefficients except
    their last bit. One more scan is kept, because libjpeg smooths blocks that have only DC coefficients. Any other file
    is returned unchanged, as the same object.
    """
    scan, progressive = first_scan(data)
    if not progressive or not is_complete(data):
        return data
    count = data[scan + 4]
    if data[scan + 5 + 2 * count] != 0:  # Ss: the first scan does not start with the DC coefficient
        return data
    second = entropy_end(data, scan)
    while data[second : second + 1] == b"\xff" and data[second + 1 : second + 2] not in (
        b"\xda",
        b"\xd9",
        b"",
    ):
        second += 2 + int.from_bytes(data[second + 2 : second + 4], "big")
    if data[second : second + 2] != SOS:
        return data
    return data[: entropy_end(data, second)] + EOI


def scans(data: bytes) -> int:
    """Return the number of scans that have begun."""
    return data.count(SOS)


# -- the layout of a whole file ----------------------------------------------------------------------------

_STANDALONE = frozenset({0x01, *range(0xD0, 0xD8)})
BETWEEN_SCANS = bytes((0xC4, 0xCC, 0xD9, 0xDA, 0xDB, 0xDC, 0xDD, *range(0xE0, 0xF0), 0xFE))

_IS_MARKER = np.array([kind not in (0, 0xFF, *range(0xD0, 0xD8)) for kind in range(256)])


class Scan(NamedTuple):
    """One scan: the position of its entropy-coded bytes, and its parameters."""

    start: int
    end: int  # start of the next marker
    components: tuple[tuple[int, int, int], ...]  # blocks per MCU, number of the DC table, number of the AC table
    first: int  # first coefficient (Ss); 0 is DC
    last: int
    refines: bool  # successive approximation: adds bits to coefficients of an earlier scan
    tables: dict[int, bytes]  # Huffman tables by class and number, as in the DHT segment
    units: int  # number of MCUs
    restart: int  # MCUs between restart markers; 0: no restart markers


class Layout(NamedTuple):
    """The structure of a JPEG file."""

    huffman: bool  # Huffman-coded, 8 bits per sample, sequential or progressive
    scans: list[Scan]
    end: int  # position after the end marker, or the end of the data
    complete: bool  # there is an end marker
    odd: int  # position of a marker that no encoder writes; -1: none


def segments(data: bytes, marker: int) -> Iterator[tuple[int, int]]:
    """Yield start and end of the content of each segment with this marker before the first scan."""
    at = 2
    for _ in range(_MAX_HEADER):
        while data[at : at + 2] == b"\xff\xff":
            at += 1
        if data[at : at + 1] != b"\xff" or at + 4 > len(data) or data[at + 1] in (SOS[1], EOI[1]):
            return
        if data[at + 1] in _STANDALONE:
            at += 2
            continue
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if data[at + 1] == marker:
            yield at + 4, min(end, len(data))
        at = end


def end_of(data: bytes) -> int:
    """Return the end of the first image: the position after its end marker, or the end of the data."""
    return layout_of(data).end


def layout_of(data: bytes) -> Layout:
    """Parse the markers of a file; nothing is decoded."""
    markers = _markers(np.frombuffer(data, np.uint8))
    tables, scans, frame, restart, at = dict[int, bytes](), list[Scan](), None, 0, 2
    huffman = False
    while True:
        while data[at : at + 2] == b"\xff\xff":
            at += 1
        if at + 4 > len(data):
            complete = data[at : at + 2] == EOI
            return Layout(huffman, scans, at + 2 if complete else len(data), complete, -1)
        kind = data[at + 1]
        if data[at] != 0xFF or (scans and kind not in BETWEEN_SCANS):
            return Layout(huffman, scans, len(data), False, at)
        if kind == EOI[1]:
            return Layout(huffman, scans, at + 2, True, -1)
        if kind in _STANDALONE:
            at += 2
            continue
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        body = data[at + 4 : end]
        at = end
        if kind == 0xC4:
            tables = {**tables, **_huffman_tables(body)}
        elif kind == 0xDD:
            restart = int.from_bytes(body[:2], "big")
        elif _SOF.match(bytes((0xFF, kind))) and frame is None:
            frame, huffman = _frame(body), kind in (0xC0, 0xC1, 0xC2) and body[:1] == b"\x08"
        elif kind == SOS[1] and frame is not None:
            later = np.searchsorted(markers, end)
            at = int(markers[later]) if later < len(markers) else len(data)
            if scan := _scan(body, frame, tables, restart, end, at):
                scans.append(scan)


def markers_from(data: bytes, start: int) -> bytes:
    """Return the second byte of each marker from `start` on, without restart markers."""
    values = np.frombuffer(data, np.uint8)[start:]
    return values[_markers(values) + 1].tobytes()


class _FrameHeader(NamedTuple):
    width: int
    height: int
    sampling: dict[int, tuple[int, int]]  # horizontal and vertical sampling factors by component


def _markers(values: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return the positions of markers, without restart markers and stuffed bytes."""
    at = np.flatnonzero(values[:-1] == 0xFF)
    found: NDArray[np.int64] = at[_IS_MARKER[values[at + 1]]]
    return found


def _frame(body: bytes) -> _FrameHeader:
    height, width = int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
    parts = (body[at : at + 3] for at in range(6, 6 + 3 * min(body[5] if len(body) > 5 else 0, 4), 3))
    sampling = {part[0]: (max(1, part[1] >> 4), max(1, part[1] & 15)) for part in parts if len(part) == 3}
    return _FrameHeader(width, height, sampling)


def _huffman_tables(body: bytes) -> dict[int, bytes]:
    out, at = {}, 0
    while at + 17 <= len(body):
        end = at + 17 + sum(body[at + 1 : at + 17])
        out[body[at]] = body[at + 1 : end]
        at = end
    return out


def _scan(
    body: bytes, frame: _FrameHeader, tables: dict[int, bytes], restart: int, start: int, end: int
) -> Scan | None:
    count = body[0] if body else 0
    if len(body) < 4 + 2 * count or not 1 <= count <= 4:
        return None
    ids = [(body[at], body[at + 1]) for at in range(1, 1 + 2 * count, 2)]
    if not frame.sampling or any(one not in frame.sampling for one, _ in ids):
        return None
    across, down = (max(each[axis] for each in frame.sampling.values()) for axis in (0, 1))
    if count == 1:  # not interleaved: an MCU is one block
        h, v = frame.sampling[ids[0][0]]
        columns, rows = -(-frame.width * h // (8 * across)), -(-frame.height * v // (8 * down))
        blocks = [1]
    else:
        columns, rows = -(-frame.width // (8 * across)), -(-frame.height // (8 * down))
        blocks = [frame.sampling[one][0] * frame.sampling[one][1] for one, _ in ids]
    components = tuple((n, table >> 4, table & 15) for n, (_, table) in zip(blocks, ids, strict=True))
    first, last, bits = body[1 + 2 * count : 4 + 2 * count]
    return Scan(start, end, components, first, last, bits >> 4 > 0, tables, columns * rows, restart)


def code_of(table: bytes, symbol: int) -> str:
    """Return the code of a symbol in a Huffman table, as a string of 0 and 1; "" if it has none."""
    counts, symbols = table[:16], table[16:]
    code = at = 0
    for length, count in enumerate(counts, start=1):
        for each in symbols[at : at + count]:
            if each == symbol:
                return format(code, f"0{length}b")
            code += 1
        at += count
        code <<= 1
    return ""


def flat_bits(scan: Scan) -> str:
    """Return the bits of one MCU in a flat area: DC difference 0 and no AC coefficients; "" if a code is missing."""
    out = ""
    for blocks, dc, ac in scan.components:
        mean = "" if scan.first else code_of(scan.tables.get(dc, b""), 0)
        rest = code_of(scan.tables.get(0x10 | ac, b""), 0) if scan.last else ""
        if (not scan.first and not mean) or (scan.last and not rest):
            return ""
        out += blocks * (mean + rest)
    return out


def restarts_in_order(data: bytes, scan: Scan) -> bool:
    """True if a scan has all its restart markers, in order."""
    if not scan.restart:
        return True
    values = np.frombuffer(data, np.uint8)[scan.start : scan.end]
    at = np.flatnonzero(values[:-1] == 0xFF)
    kind = values[at + 1]
    found = kind[(kind >= 0xD0) & (kind <= 0xD7)]
    expected = -(-scan.units // scan.restart) - 1
    return len(found) >= expected and bool((found[:expected] == 0xD0 + np.arange(expected) % 8).all())
