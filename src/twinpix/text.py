"""Format numbers and plurals, and escape texts for printing."""


def printable(path: str) -> str:
    """Return a path on one line, with control characters and undecodable bytes escaped."""
    if path.isprintable():
        return path
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in path)


def without_controls(text: str) -> str:
    """Return a text for a terminal, with control characters escaped; undecodable bytes are unchanged."""
    if text.isprintable():
        return text
    return "".join(c.encode("unicode_escape").decode() if c < " " or "\x7f" <= c <= "\x9f" else c for c in text)


def bytes_text(count: int) -> str:
    """Format a size in decimal units: `1.2 MB`."""
    size = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 999.5:
            return f"{count} {'byte' if count == 1 else unit}" if unit == "bytes" else f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} TB"


def plural(count: int, one: str, many: str = "") -> str:
    """Format a count with its noun: `1 image`, `2 images`, `12,000 images`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
