"""Words for numbers, and texts that are safe to print."""


def printable(path: str) -> str:
    """A path on one line: control characters and undecodable bytes escaped, the rest as it is."""
    if path.isprintable():
        return path
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in path)


def without_controls(text: str) -> str:
    """A text for a terminal: control characters escaped, undecodable bytes as they are."""
    if text.isprintable():
        return text
    return "".join(c.encode("unicode_escape").decode() if c < " " or "\x7f" <= c <= "\x9f" else c for c in text)


def bytes_text(count: int) -> str:
    """`1.2 MB`: a size in decimal units."""
    size = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 999.5:
            return f"{count} {'byte' if count == 1 else unit}" if unit == "bytes" else f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} TB"


def plural(count: int, one: str, many: str = "") -> str:
    """`1 image`, `2 images`, `12,000 images`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
