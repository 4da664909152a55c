"""The report as JSON, schema `twinpix.report/1`: everything, and readable again."""

import codecs
import json as stdlib
from dataclasses import asdict, dataclass

from twinpix.errors import UsageError
from twinpix.model import SCHEMA, Report


@dataclass(frozen=True, slots=True)
class Json:
    """Indented, UTF-8; bytes of a file name that are no UTF-8 stand as lone surrogates, escaped."""

    def text(self, report: Report) -> str:
        return dumps({"schema": report.schema, **asdict(report)})


def dumps(value: object) -> str:
    """Indented JSON with a line end, in which lone surrogates are escaped and all else is readable."""
    text = stdlib.dumps(value, ensure_ascii=False, indent=1) + "\n"
    return text.encode("utf-8", "twinpix-escape").decode("utf-8")


def read(path: str) -> Report:
    """Read a report; raises `UsageError` when the file is none, or one of another schema."""
    import msgspec

    try:
        with open(path, encoding="utf-8") as file:
            value = stdlib.load(file)
    except OSError as error:
        raise UsageError(f"cannot read the report {path}: {error.strerror}") from None
    except ValueError as error:
        raise UsageError(f"{path} is no report: {error}") from None
    if not isinstance(value, dict) or value.get("schema") != SCHEMA:
        raise UsageError(f"{path} is no report of schema {SCHEMA}")
    try:
        return msgspec.convert(value, Report)
    except msgspec.ValidationError as error:
        raise UsageError(f"{path} is no valid report: {error}") from None


def _escape(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(f"\\u{ord(c):04x}" for c in error.object[error.start : error.end]), error.end


codecs.register_error("twinpix-escape", _escape)
