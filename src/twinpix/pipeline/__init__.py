"""The use cases: find, query, compare, encode. Everything here only reads users' files."""

from twinpix.pipeline.comparing import Comparison, Distance, compare
from twinpix.pipeline.encoding import encode
from twinpix.pipeline.finding import find
from twinpix.pipeline.options import DEFAULT_METHOD, Options
from twinpix.pipeline.progress import Progress
from twinpix.pipeline.querying import Hit, query

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
