"""twinpix finds images that are the same picture, keeps one of each group, and never loses one."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from twinpix.locking import acting
    from twinpix.model import Plan, Report
    from twinpix.pipeline import (
        Options,
        Outcome,
        apply,
        compare,
        encode,
        encode_files_as_stream,
        encode_pictures,
        find,
        header_of,
        plan,
        query,
        query_codes,
        read_codes,
        undo,
        write_codes,
    )

__version__ = "0.1.0"
__all__ = [
    "Options",
    "Outcome",
    "Plan",
    "Report",
    "__version__",
    "acting",
    "apply",
    "compare",
    "encode",
    "encode_files_as_stream",
    "encode_pictures",
    "find",
    "header_of",
    "plan",
    "query",
    "query_codes",
    "read_codes",
    "undo",
    "write_codes",
]
_PLACES = {"acting": "locking", "Plan": "model", "Report": "model"}  # all else is in the pipeline


def __getattr__(name: str) -> Any:
    """Public names are loaded at first use, so that `import twinpix` costs nothing."""
    if name in __all__:
        return getattr(importlib.import_module(f"twinpix.{_PLACES.get(name, 'pipeline')}"), name)
    raise AttributeError(f"module 'twinpix' has no attribute {name!r}")
