"""What the JPEG format lets us leave undecoded, and how much of a broken one is there.

Source: ITU-T T.81 (https://www.w3.org/Graphics/JPEG/itu-t81.pdf), sections B and G.
"""

import re

SOS, EOI = b"\xff\xda", b"\xff\xd9"
_SOF = re.compile(rb"\xff[\xc0-\xc3\xc5-\xc7\xc9-\xcb\xcd-\xcf]")
_ENTROPY_END = re.compile(rb"\xff+[\x01-\xcf\xd8-\xfe]")
_MAX_HEADER = 4096  # markers before the first scan, at most


def first_scan(data: bytes) -> tuple[int, bool]:
    """Where the first scan's header starts, and whether the file is progressive; (-1, False) when unclear."""
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
    """True when an end marker stands at, or shortly before, the end."""
    return data.rfind(EOI, max(0, len(data) - 65536)) >= 0


def entropy_end(data: bytes, scan: int) -> int:
    """Where the scan whose header starts at `scan` stops: the next marker that is no restart."""
    start = scan + 2 + int.from_bytes(data[scan + 2 : scan + 4], "big")
    found = _ENTROPY_END.search(data, start)
    return found.start() if found else len(data)


def coarse(data: bytes) -> bytes:
    """A complete progressive file cut down to the scans that an eighth-size decode needs.

    At one eighth each block is its mean. The first scan of a progressive file holds all means but for
    their last bit; one more scan is kept so that the library does not smooth blocks of which it knows
    nothing else. Any other file comes back as it is.
    """
    scan, progressive = first_scan(data)
    if not progressive or not is_complete(data):
        return data
    count = data[scan + 4]
    if data[scan + 5 + 2 * count] != 0:  # Ss: the first scan starts with something else than the means
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
    """How many scans have begun."""
    return data.count(SOS)
