"""Data sets that Hugging Face `datasets` saved: the files beside the tables, which `datasets.load_from_disk` needs.

`Dataset.save_to_disk` writes a folder with `state.json`, `dataset_info.json` and the tables that the first one lists;
`DatasetDict.save_to_disk` writes such a folder for each split, and `dataset_dict.json` above them.
https://huggingface.co/docs/datasets/process#save
"""

import hashlib
import json
import os
import posixpath
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import closing
from typing import Any, NamedTuple

from twinpix.errors import ImageError
from twinpix.model import is_remote
from twinpix.sources.columns import TableSource
from twinpix.sources.redundant import Left
from twinpix.sources.storage import open_file, size_of_object, status_of
from twinpix.sources.uris import container
from twinpix.usecases.exporting.journal import Line
from twinpix.usecases.exporting.shards import Description

_STATE, _INFO, _DICT = "state.json", "dataset_info.json", "dataset_dict.json"
_LARGEST = 64 << 20  # bytes of such a file: names of 100,000 classes take about 2 MB
_MAPPINGS = ("_indices_files", "_indices_data_files")  # of early versions, which do not load them any more


class Saved(NamedTuple):
    """The folder of a saved data set, or of a split."""

    folder: str
    files: list[str]  # its tables in the report, in the order of the data set
    in_dict: bool  # whether the folder above has `dataset_dict.json`


def saved_sets(files: Iterable[str], unreadable: list[Left]) -> list[Saved]:
    """Return the saved data sets that have some of these tables, with their tables without rows.

    A split without rows is added to the other splits. Those that cannot be read are added to `unreadable`.
    """
    by_folder: dict[str, set[str]] = {}
    for file in files:
        if file.endswith(".arrow"):
            by_folder.setdefault(_above(file), set()).add(file)
    out, pending = list[Saved](), list(by_folder)
    for folder in pending:  # grows by the other splits
        try:
            found = _saved(folder, by_folder.get(folder, set()))
            if found is not None:
                out.append(found)
                pending += [each for each in _splits(found) if each not in pending]
        except ImageError as error:
            unreadable.append(Left(_join(folder, _STATE), f"is not exported: {error.reason}"))
    return out


def _saved(folder: str, tables: Collection[str]) -> Saved | None:
    """Return the data set in a folder; None if it is none, or if none of its rows are in these tables."""
    state = _join(folder, _STATE)
    if not (_exists(state) and _exists(_join(folder, _INFO))):
        return None
    listed = [_join(folder, name) for name in _names(_read(state))]
    mine = [file for file in listed if file in tables or not _rows_of(file)]
    if not mine or (not tables and len(mine) < len(listed)):
        return None
    return Saved(folder, mine, _exists(_join(_above(folder), _DICT)))


def _splits(saved: Saved) -> list[str]:
    """Return the folders of the splits of a saved dictionary; none for a data set without splits."""
    if not saved.in_dict:
        return []
    above = _above(saved.folder)
    return [_join(above, split) for split in _read(_join(above, _DICT)).get("splits") or () if isinstance(split, str)]


def describe(sets: Iterable[Saved], targets: Mapping[str, str]) -> Iterator[Description]:
    """Yield the files to write beside the tables; `targets` are the paths of these below the target.

    Raises `ImageError` if one cannot be read.
    """
    dicts: dict[str, list[str]] = {}
    for each in sets:
        beside, tables = posixpath.dirname(targets[each.files[0]]), tuple(targets[file] for file in each.files)
        if each.in_dict:
            dicts.setdefault(_above(each.folder), []).extend(tables)
        for name in (_STATE, _INFO):
            yield _description(_join(each.folder, name), posixpath.join(beside, name), tables)
    for folder, files in dicts.items():
        beside = posixpath.dirname(posixpath.dirname(files[0]))
        yield _description(_join(folder, _DICT), posixpath.join(beside, _DICT), tuple(files))


def _description(source: str, target: str, tables: tuple[str, ...]) -> Description:
    status = status_of(source)
    return Description(source, target, status.size, status.version, tables)


def text_of(description: Description, root: str, lines: Mapping[str, Line]) -> bytes:
    """Return a file that describes written tables; `root` is the target, `lines` are those of all its tables.

    `_data_files` and the splits are those of the report. The fingerprint is another one if rows were left out: under
    the old one the library would take the results of `map` for all rows from its cache. Raises `ImageError`.
    """
    value = _read(description.source)
    name = posixpath.basename(description.target)
    mine = [lines[table] for table in description.tables]
    if name == _DICT:
        there = {posixpath.basename(posixpath.dirname(table)) for table in description.tables}
        value["splits"] = [split for split in value.get("splits", ()) if split in there]
    elif name == _STATE:
        value["_data_files"] = [{"filename": posixpath.basename(line.target)} for line in mine]
        if any(line.left_out for line in mine):
            both = "".join([str(value.get("_fingerprint")), *(line.digest for line in mine)])
            value["_fingerprint"] = hashlib.blake2b(both.encode(), digest_size=8).hexdigest()
        for key in _MAPPINGS:
            value.pop(key, None)
    elif any(line.left_out for line in mine):
        split = _read(_join(_above(description.source), _STATE)).get("_split")
        _correct_sizes(
            value, split, sum(_rows_of(_place_of(root, line.target)) for line in mine), sum(line.bytes for line in mine)
        )
    return json.dumps(value, indent=2).encode() + b"\n"


def _correct_sizes(info: dict[str, Any], split: Any, rows: int, size: int) -> None:
    """Set the number of rows and the bytes of a split, and the sums, as far as they are there."""
    splits = info.get("splits")
    if not isinstance(splits, dict) or not isinstance(splits.get(split), dict):
        return
    splits[split] = {**splits[split], "num_examples": rows, "num_bytes": size}
    splits[split].pop("shard_lengths", None)
    sizes = [each.get("num_bytes") for each in splits.values() if isinstance(each, dict)]
    if isinstance(info.get("dataset_size"), int) and all(isinstance(each, int) for each in sizes):
        info["dataset_size"] = sum(sizes)
        if isinstance(info.get("size_in_bytes"), int):
            info["size_in_bytes"] = info["dataset_size"] + (info.get("download_size") or 0)


def _place_of(root: str, name: str) -> str:
    return f"{root.rstrip('/')}/{name}" if is_remote(root) else os.path.join(root, *name.split("/"))


def _rows_of(path: str) -> int:
    """Return the number of rows of a table; raises `ImageError`."""
    source = container(path)
    if not isinstance(source, TableSource):
        raise ImageError("read", f"{os.path.basename(path)} is not a table")
    return source.count_rows(path)


def _names(state: dict[str, Any]) -> list[str]:
    """Return the names of the tables of a data set, in its order; none if they are not listed."""
    files = state.get("_data_files")
    found = [each.get("filename") for each in files if isinstance(each, dict)] if isinstance(files, list) else []
    return [name for name in found if isinstance(name, str)]


def _read(path: str) -> dict[str, Any]:
    """Return a JSON object; raises `ImageError`."""
    with closing(open_file(path)) as file:
        data = file.read(_LARGEST)
    try:
        value = json.loads(data)
    except ValueError as error:
        raise ImageError("read", f"{os.path.basename(path)} is no JSON: {error}") from None
    if not isinstance(value, dict):
        raise ImageError("read", f"{os.path.basename(path)} is no JSON object")
    return value


def _exists(path: str) -> bool:
    return size_of_object(path) is not None if is_remote(path) else os.path.isfile(path)


def _above(path: str) -> str:
    return posixpath.dirname(path) if is_remote(path) else os.path.dirname(path)


def _join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if is_remote(folder) else os.path.join(folder, name)
