"""Find images that are copies of each other, verify matches on the pixels, and move duplicates away reversibly.

`find` returns a `Report`; `plan`, `apply` and `undo` act on it. `query` finds the copies of one image, and `compare`
compares two. `encode` and the functions for codes files compute fingerprints. Only `apply` and `undo` change images.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from twinpix.act.apply import apply
    from twinpix.act.lock import acting
    from twinpix.act.outcome import Outcome
    from twinpix.act.planning.plan import plan
    from twinpix.act.steps import Plan
    from twinpix.act.undo import undo
    from twinpix.encoding.options import Options
    from twinpix.model import Report
    from twinpix.usecases.codes import (
        encode_files_as_stream,
        encode_pictures,
        header_of,
        query_codes,
        read_codes,
        write_codes,
    )
    from twinpix.usecases.compare import compare
    from twinpix.usecases.dedupe import dedupe
    from twinpix.usecases.encode import encode
    from twinpix.usecases.find import find
    from twinpix.usecases.query import query

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
    "dedupe",
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
_MODULES = {
    "act.apply": ("apply",),
    "act.lock": ("acting",),
    "act.outcome": ("Outcome",),
    "act.planning.plan": ("plan",),
    "act.steps": ("Plan",),
    "act.undo": ("undo",),
    "encoding.options": ("Options",),
    "model": ("Report",),
    "usecases.codes": (
        *("encode_files_as_stream", "encode_pictures", "header_of"),
        *("query_codes", "read_codes", "write_codes"),
    ),
    "usecases.compare": ("compare",),
    "usecases.dedupe": ("dedupe",),
    "usecases.encode": ("encode",),
    "usecases.find": ("find",),
    "usecases.query": ("query",),
}
_PLACES = {name: module for module, names in _MODULES.items() for name in names}

if not TYPE_CHECKING:  # a checker would take any name for one of the package

    def __getattr__(name: str) -> Any:
        """Load a public name at its first use, so that `import twinpix` takes almost no time."""
        if name in _PLACES:
            return getattr(importlib.import_module(f"twinpix.{_PLACES[name]}"), name)
        raise AttributeError(f"module 'twinpix' has no attribute {name!r}")
