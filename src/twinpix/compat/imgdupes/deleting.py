"""Delete what the user decided to delete."""

from collections.abc import Sequence


def delete(base: str, kept: Sequence[str], gone: Sequence[str]) -> None:
    """Delete the images `gone` of a set, of which `kept` stay.

    `base` is the folder that was searched, or the current one with `--files-from`. `kept` is empty when the
    user has said in words that every copy is to go, or for the images that are like a query.
    """
    raise NotImplementedError
