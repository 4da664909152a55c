"""Look into a store while somebody else writes it."""

from pathlib import Path

from twinpix.store import Store


def held(path: Path) -> int:
    """How many codes a store holds; 0 while there is none."""
    if not path.exists():
        return 0
    store = Store(path)
    try:
        return store.info().codes
    finally:
        store.close()
