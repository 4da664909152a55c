"""The use cases: find, query, compare, encode, plan, apply, undo. Only apply and undo touch users' files."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from twinpix.pipeline.applying import Outcome, apply
    from twinpix.pipeline.codes import (
        Coded,
        Header,
        encode_files_as_stream,
        encode_pictures,
        header_of,
        query_codes,
        read_codes,
        write_codes,
    )
    from twinpix.pipeline.comparing import Comparison, Distance, compare
    from twinpix.pipeline.deciding import decide_again
    from twinpix.pipeline.encoding import encode
    from twinpix.pipeline.finding import find
    from twinpix.pipeline.options import DEFAULT_METHOD, Options
    from twinpix.pipeline.planning import plan
    from twinpix.pipeline.progress import Progress
    from twinpix.pipeline.querying import Hit, query
    from twinpix.pipeline.undoing import undo

__all__ = [
    "DEFAULT_METHOD",
    "Coded",
    "Comparison",
    "Distance",
    "Header",
    "Hit",
    "Options",
    "Outcome",
    "Progress",
    "apply",
    "compare",
    "decide_again",
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
    "applying": ("Outcome", "apply"),
    "codes": (
        *("Coded", "Header", "encode_files_as_stream", "encode_pictures"),
        *("header_of", "query_codes", "read_codes", "write_codes"),
    ),
    "comparing": ("Comparison", "Distance", "compare"),
    "deciding": ("decide_again",),
    "encoding": ("encode",),
    "finding": ("find",),
    "options": ("DEFAULT_METHOD", "Options"),
    "planning": ("plan",),
    "progress": ("Progress",),
    "querying": ("Hit", "query"),
    "undoing": ("undo",),
}
_PLACES = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Each use case is loaded at its first use: a small run takes less time than loading all of them."""
    if name not in _PLACES:
        raise AttributeError(f"module 'twinpix.pipeline' has no attribute {name!r}")
    return getattr(importlib.import_module(f"twinpix.pipeline.{_PLACES[name]}"), name)
