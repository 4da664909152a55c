"""The use cases: find, query, compare, encode. Everything here only reads users' files."""

from twinpix.pipeline.compare import Comparison, Distance, compare
from twinpix.pipeline.encode import encode
from twinpix.pipeline.find import find
from twinpix.pipeline.options import DEFAULT_METHOD, Options
from twinpix.pipeline.progress import Progress
from twinpix.pipeline.query import Hit, query

__all__ = [
    "DEFAULT_METHOD",
    "Comparison",
    "Distance",
    "Hit",
    "Options",
    "Progress",
    "compare",
    "encode",
    "find",
    "query",
]
