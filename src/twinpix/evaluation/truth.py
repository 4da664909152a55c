"""Read a ground truth or a result: a JSON map, pairs in CSV, a folder for each group, or a report."""

import csv
import json
import os
from collections.abc import Container, Iterator, Mapping
from itertools import combinations

from twinpix import report as reports
from twinpix.errors import UsageError, system_reason
from twinpix.evaluation.maps import drop_scores, map_of_pairs
from twinpix.model import SCHEMAS

_GIVE = "Give a JSON map, a CSV of pairs, or a report of find"


def read_truth(path: str) -> dict[str, list[str]]:
    """Read a ground truth from a file (see `read_map`) or a folder.

    In a folder, the files of each sub-folder are one group; names are relative to the folder.
    Raises `UsageError` if it cannot be read.
    """
    return _from_folder(path) if os.path.isdir(path) else read_map(path)


def rename_to_known(found: Mapping[str, list[str]], known: Container[str]) -> dict[str, list[str]]:
    """Return the map with leading folders removed from each name until it is a known one.

    A name without such a suffix is unchanged.
    """

    def fit(name: str) -> str:
        short = name
        while short not in known and "/" in short:
            short = short.partition("/")[2]
        return short if short in known else name

    return {fit(name): [fit(other) for other in others] for name, others in found.items()}


def read_map(path: str) -> dict[str, list[str]]:
    """Read a map from JSON (`{"a.jpg": ["b.jpg"]}`, with or without scores), CSV, or a report of `twinpix find`.

    A CSV row has two names, or one name without duplicates. Raises `UsageError` if the file cannot be read or is none
    of these.
    """
    try:
        with open(path, encoding="utf-8-sig") as file:
            text = file.read()
    except (OSError, UnicodeDecodeError) as error:
        why = system_reason(error) if isinstance(error, OSError) else "it is no text in UTF-8"
        raise UsageError(f"cannot read {path}: {why}. {_GIVE}") from None
    if not text.lstrip().startswith(("{", "[")):
        return _from_csv(path, text)
    try:
        value = json.loads(text)
    except ValueError as error:
        raise UsageError(f"{path} is no JSON: {error}. {_GIVE}") from None
    if isinstance(value, dict) and value.get("schema") in SCHEMAS:
        return _from_report(path)
    if not isinstance(value, dict) or not all(isinstance(names, list) for names in value.values()):
        raise UsageError(f"{path} holds no map from each file to the list of its duplicates")
    if not all(_is_relation(item) for names in value.values() for item in names):
        raise UsageError(f"{path}: a duplicate is a name, or a name and a score")
    return drop_scores(value)


def _is_relation(item: object) -> bool:
    return isinstance(item, str) or (isinstance(item, list) and len(item) == 2 and isinstance(item[0], str))


def _from_folder(folder: str) -> dict[str, list[str]]:
    names: list[str] = []
    pairs: list[tuple[str, str]] = []
    for group in sorted(entry.name for entry in os.scandir(folder) if entry.is_dir()):
        inside = sorted(_files_below(os.path.join(folder, group)))
        members = [os.path.relpath(name, folder).replace(os.sep, "/") for name in inside]
        names += members
        pairs += combinations(members, 2)
    if not names:
        raise UsageError(f"{folder} holds no sub-folders with files: each is to be one group")
    return map_of_pairs(names, pairs)


def _files_below(folder: str) -> Iterator[str]:
    for place, _, files in os.walk(folder):
        yield from (os.path.join(place, name) for name in files if not name.startswith("."))


def _from_csv(path: str, text: str) -> dict[str, list[str]]:
    names: list[str] = []
    pairs: list[tuple[str, str]] = []
    for number, row in enumerate(csv.reader(text.splitlines()), start=1):
        cells = [cell.strip() for cell in row if cell.strip()]
        if number == 1 and [cell.lower() for cell in cells] in (["a", "b"], ["file", "duplicate"]):
            continue
        if len(cells) > 2 or (len(cells) == 2 and cells[0] == cells[1]):
            raise UsageError(f"{path}, line {number}: give two names, or one that has no duplicate")
        names += cells
        if len(cells) == 2:
            pairs.append((cells[0], cells[1]))
    if not names:
        raise UsageError(f"{path} is empty. {_GIVE}")
    return map_of_pairs(names, pairs)


def _from_report(path: str) -> dict[str, list[str]]:
    groups = reports.read(path).groups
    names = [[member.path.replace(os.sep, "/") for member in group.members] for group in groups]
    return map_of_pairs([], (pair for members in names for pair in combinations(members, 2)))
