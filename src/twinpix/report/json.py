"""The report as JSON, schema `twinpix.report/2`: complete, and readable again."""

import codecs
import io
import json as stdlib
import math
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from enum import StrEnum
from typing import Any, BinaryIO, ClassVar

from twinpix import plugins
from twinpix.errors import ReportError, UsageError, system_reason
from twinpix.machine import no_garbage_collection
from twinpix.model import IDENTICAL, SCHEMA, SCHEMAS, DistanceUnit, Group, Report, Traits, relate_to_keeper
from twinpix.outputs import Kind
from twinpix.report.base import is_table, kind_of
from twinpix.text import printable

_SCHEMA_FIRST = re.compile(rb'\s*\{\s*"schema"\s*:\s*"([^"\\]*)"')  # at the position where this module writes it
_HEAD = 256  # bytes in which a report names its schema
_NAMES = "surrogatepass" if os.name == "nt" else "surrogateescape"  # how Python represents the names of this system
_SURROGATE = re.compile(rb"\\ud[89a-f]", re.IGNORECASE)
_OTHER_UNITS: Mapping[str, DistanceUnit] = {"cascade": "share", "local": "share", "cnn": "cosine"}  # of schema 1
_ALTERED_AS_TEXT = re.compile(rb'"altered"\s*:\s*"')  # as in reports of earlier versions: "blurred, padded"


@dataclass(frozen=True, slots=True)
class Json:
    """One line for each group, UTF-8; bytes of a name that are no UTF-8 are escaped lone surrogates."""

    kind: ClassVar[Kind] = Kind("report of twinpix", lambda file: _names_schema(file.read(_HEAD)))
    suffixes: ClassVar[tuple[str, ...]] = (".json",)

    def parts(self, report: Report) -> Iterator[str]:
        names = ["schema", *(field.name for field in fields(report) if field.name != "schema")]
        for place, name in enumerate(names):
            yield f'{"," if place else "{"}\n"{name}": '
            yield from _value(getattr(report, name))
        yield "\n}\n"


def _names_schema(head: bytes) -> bool:
    """True for the first bytes of a report of any schema version."""
    match = _SCHEMA_FIRST.match(head)
    return match is not None and match[1].startswith(b"twinpix.report/")


def _value(value: object) -> Iterator[str]:
    """Yield one field; a list of rows has one line for each row."""
    if isinstance(value, Sequence) and value and is_dataclass(value[0]):
        for place, row in enumerate(value):
            yield f"{',' if place else '['}\n{_line(row)}"
        yield "\n]"
    elif isinstance(value, Sequence) and not isinstance(value, str):
        yield _line(list(value))  # a sequence whose rows are made on access may be empty
    else:
        yield _line(value)


def _line(value: Any) -> str:
    return escape_surrogates(stdlib.dumps(to_plain(value), ensure_ascii=False))


def to_plain(value: Any) -> Any:
    """Return a report or a part of it as dictionaries and lists; traits without those at their defaults."""
    if isinstance(value, Traits):
        known = {field.name: field.default for field in fields(Traits)}
        return {name: given for name in known if (given := getattr(value, name)) != known[name]}
    if is_dataclass(value):
        return {field.name: to_plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [to_plain(each) for each in value]
    return value.value if isinstance(value, StrEnum) else value


def dumps(value: object) -> str:
    """Return indented JSON with a final line break, in which only lone surrogates are escaped."""
    return escape_surrogates(stdlib.dumps(value, ensure_ascii=False, indent=1) + "\n")


def escape_surrogates(text: str) -> str:
    """Return the same JSON with lone surrogates escaped."""
    return text.encode("utf-8", "twinpix-escape").decode("utf-8")


def read(path: str) -> Report:
    """Read a report; raises `UsageError` if it does not exist, `ReportError` if it is invalid."""
    import msgspec

    with _opened(path) as file:
        data = file.read()
    try:
        schema = _schema_of(data)
        if schema not in SCHEMAS:
            found = f"its schema is {schema}" if schema else "it names no schema"
            raise ReportError(f"{path} is no report of schema {SCHEMA} ({found}): run find again")
        with no_garbage_collection():
            if schema == SCHEMA and not _SURROGATE.search(data) and not _ALTERED_AS_TEXT.search(data):
                report = _decode_report(data)
            else:
                value = _with_lists_of_alterations(_parse(data))
                report = msgspec.convert(
                    _convert_whole_numbers(value if schema == SCHEMA else _upgrade_to_schema_2(value)), Report
                )
    except UnicodeEncodeError:
        raise ReportError(
            f"{path}: the report cannot be trusted: it holds a name that no file can have; run find again"
        ) from None
    except msgspec.ValidationError as error:
        raise ReportError(f"{path} is no valid report: {error}; run find again") from None
    except (ValueError, RecursionError) as error:
        if is_table(data):
            raise ReportError(f"{path} is a table; resolve needs the JSON report: find PATH -o report.json") from None
        if kind := kind_of(data):
            how = "save the result of find as a .json file"
            raise ReportError(f"{path}: this {kind.name} cannot be read, only a JSON report can; {how}") from None
        raise ReportError(f"{path} is no report: {error}. Give the JSON report that find wrote") from None
    if wrong := _contradiction(report.groups):
        raise ReportError(f"{path}: the report cannot be trusted: {wrong}; run find again")
    return report if schema == SCHEMA else _with_relations(report)


def read_in_parts(path: str) -> tuple[Report, Iterator[Group]]:
    """Read a report without its groups and its images in no group, and yield the groups one after the other.

    The first group is there after a part of the time. Raises the errors of `read`, those of a group when it is reached.
    """
    with _opened(path) as file:
        data = file.read()
    parts = _cut_groups(data)
    if parts is None:
        report = read(path)
        return report, iter(report.groups)
    head, lines = parts
    try:
        return _decode_report(head), _decode_groups(path, lines)
    except ValueError as error:
        raise ReportError(f"{path} is no valid report: {error}; run find again") from None


def _cut_groups(data: bytes) -> tuple[bytes, bytes] | None:
    """Return a report without its groups and images in no group, and the lines of the groups.

    None if another program has written it: this one writes a group on each line, and no other line begins in this way.
    """
    if _SCHEMA_FIRST.match(data) is None or _schema_of(data) != SCHEMA:
        return None
    if _SURROGATE.search(data) or _ALTERED_AS_TEXT.search(data):
        return None
    cut = _cut_list(data, b'\n"groups": [\n')
    if cut is None:
        return None
    head, lines = cut
    without = _cut_list(head, b'\n"unique": [\n')
    return (without[0] if without else head), lines


def _cut_list(data: bytes, name: bytes) -> tuple[bytes, bytes] | None:
    """Return JSON with an empty list in place of one whose rows have a line each, and these lines."""
    start = data.find(name)
    end = data.find(b"\n]", start)
    if start < 0 or end < 0:
        return None
    return data[: start + len(name) - 1] + data[end + 1 :], data[start + len(name) : end]


def _decode_groups(path: str, lines: bytes) -> Iterator[Group]:
    import msgspec

    decoder = msgspec.json.Decoder(Group)
    for line in io.BytesIO(lines):
        try:
            group = decoder.decode(line.rstrip(b",\n"))
        except ValueError as error:
            raise ReportError(f"{path} is no valid report: {error}; run find again") from None
        if wrong := _contradiction([group]):
            raise ReportError(f"{path}: the report cannot be trusted: {wrong}; run find again")
        yield group


def _opened(path: str) -> BinaryIO:
    try:
        return open(path, "rb")
    except OSError as error:
        how = "check the path, or write a report first"
        raise UsageError(f"cannot read the report {path}: {system_reason(error)}; {how}") from None


def _decode_report(data: bytes) -> Report:
    """Return a report of schema 2; programs with one type of number write whole numbers as 10.0."""
    import msgspec

    try:
        return msgspec.json.decode(data, type=Report)
    except msgspec.ValidationError:
        return msgspec.convert(_convert_whole_numbers(_parse(data)), Report)


def _convert_whole_numbers(value: Any) -> Any:
    """Return a value of JSON with its whole numbers as integers."""
    if isinstance(value, dict):
        return {key: _convert_whole_numbers(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_convert_whole_numbers(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _with_relations(report: Report) -> Report:
    """Return a report of the first schema with the relation and distance of each member, which only schema 2 names."""
    groups = [
        replace(group, members=relate_to_keeper(group.keeper, group.members, group.matches)) for group in report.groups
    ]
    return replace(report, groups=groups)


def _contradiction(groups: Iterable[Group]) -> str:
    """Return an inconsistency within a group, or "". All readers of a report rely on this check."""
    for group in groups:
        known = {member.path for member in group.members}
        if group.keeper not in known:
            return f"group {group.id}: the keeper, {printable(group.keeper)}, is not one of its members"
        if not known.issuperset(match.a for match in group.matches) or not known.issuperset(
            match.b for match in group.matches
        ):
            return f"group {group.id}: a match names a file that is not one of its members"
    return ""


def _schema_of(data: bytes) -> str:
    """Return the schema that a report names; raises `ValueError` if it is no JSON."""
    if match := _SCHEMA_FIRST.match(data):
        return match[1].decode("utf-8", "replace")
    value = _parse(data)
    return str(value.get("schema", "")) if isinstance(value, dict) else ""


def _parse(data: bytes) -> Any:
    """Return the value of JSON; raises `ValueError` for none, `UnicodeEncodeError` for a name that no file can have.

    msgspec is ten times as fast as the standard library, but rejects lone surrogates, which represent undecodable bytes
    of names.
    """
    import msgspec

    if not _SURROGATE.search(data):
        return msgspec.json.decode(data)
    value = stdlib.loads(data, parse_float=_finite, parse_constant=_finite)
    stdlib.dumps(value, ensure_ascii=False).encode("utf-8", _NAMES)
    return value


def _finite(text: str) -> float:
    """Return a number of JSON; raises `ValueError` for one that is infinite or not a number, as msgspec does."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number {text} is out of range")
    return number


def _upgrade_to_schema_2(old: dict[str, Any]) -> dict[str, Any]:
    """Return a report of the first schema with the unit of its distances, and with whether codes are equal.

    There 0 bits are the distance of equal codes. A cosine distance or a share of 0 is also that of codes that are only
    close, so such codes are known to be equal only if the images are identical. The type of a number says nothing,
    because programs such as jq and node have a single type of number. With pairs that the user marked as not
    duplicates, which codes are equal is unknown.
    """
    counts = old.get("counts")
    known = not (isinstance(counts, dict) and counts.get("apart"))
    unit = _unit_of(old)
    for group in [*_rows(old, "groups"), {"matches": old.get("similar")}]:
        for match in _rows(group, "matches"):
            relation = match.get("relation")
            may = relation not in ("rotated", "mirrored") if unit == "bits" else relation in IDENTICAL
            match.setdefault("same_code", known and may and match.get("distance") == 0)
    return {"unit": unit, **old, "schema": SCHEMA}


def _unit_of(old: dict[str, Any]) -> DistanceUnit:
    """Return the unit of the distances in a report of the first schema, which its method determines.

    Of a method of another package only the radius is known: a whole number of bits, or a cosine distance.
    """
    name, radius = str(old.get("spec")).partition(":")[0], old.get("radius")
    if name in _OTHER_UNITS or name in plugins.own("fingerprints"):
        return _OTHER_UNITS.get(name, "bits")
    return "bits" if isinstance(radius, int | float) and radius == int(radius) else "cosine"


def _with_lists_of_alterations(value: dict[str, Any]) -> dict[str, Any]:
    """Return a report with `altered` of each member as a list; reports of earlier versions have a text."""
    for group in _rows(value, "groups"):
        for member in _rows(group, "members"):
            if isinstance(text := member.get("altered"), str):
                member["altered"] = text.split(", ") if text else []
    return value


def _rows(value: dict[str, Any], name: str) -> Iterable[dict[str, Any]]:
    """Return the objects in a list of JSON; anything else is found when the report is validated."""
    rows = value.get(name)
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def schema() -> dict[str, Any]:
    """Return the JSON Schema of a report, draft 2020-12; `report/report-2.schema.json` contains it."""
    import msgspec

    out: dict[str, Any] = stdlib.loads(stdlib.dumps(msgspec.json.schema(Report)))  # tuples of defaults as lists
    definition = out["$defs"]["Report"]
    definition["properties"]["schema"] = {"const": SCHEMA}
    definition["required"] = [*definition["required"], "schema"]
    for each in out["$defs"].values():
        _describe(each)
        for described in each.get("properties", {}).values():
            if described.get("default") in ([], {}):  # made by a factory: written by msgspec from 0.23 on
                del described["default"]
    identifier = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": SCHEMA}
    return {**identifier, "title": "A report of twinpix", **out}


def _describe(definition: dict[str, Any]) -> None:
    """Describe a type by the first line of its docstring, and its properties by the section `Attributes` of it."""
    text = definition.get("description", "")
    definition["description"] = text.partition("\n")[0]
    attributes = text.partition("Attributes:\n")[2].partition("\n\n")[0]
    for line in re.sub(r"\n {8}", " ", attributes).splitlines():
        name, _, meaning = line.strip().partition(": ")
        definition["properties"][name]["description"] = meaning


def _escape(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(f"\\u{ord(c):04x}" for c in error.object[error.start : error.end]), error.end


codecs.register_error("twinpix-escape", _escape)
