"""The helpers of imagededup for files and results."""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any, TypeVar

from twinpix import outputs
from twinpix.compat.imagededup._progress import progress
from twinpix.formats import claims_image

T = TypeVar("T")


def _is_result(file: IO[bytes]) -> bool:
    """True for JSON that maps names to lists of names (with distances) or to hashes, or lists names."""
    try:
        found = json.load(file)
    except (ValueError, RecursionError):
        return False
    if isinstance(found, list):
        return all(isinstance(name, str) and claims_image(name) for name in found)
    return isinstance(found, dict) and all(_are_matches(value) or _is_hash(value) for value in found.values())


def _are_matches(value: object) -> bool:
    """True for a list of names, or of pairs of a name and a number."""
    return isinstance(value, list) and all(isinstance(each, str) or _is_scored(each) for each in value)


def _is_scored(each: object) -> bool:
    return isinstance(each, list) and len(each) == 2 and isinstance(each[0], str) and isinstance(each[1], (int, float))


def _is_hash(value: object) -> bool:
    return isinstance(value, str) and len(value) >= 16 and not set(value) - set("0123456789abcdef")


_RESULT = outputs.Kind("result of find_duplicates or encode_images", _is_result)


def generate_files(image_dir: Any, recursive: bool) -> list[Path]:
    """Return the files of a folder without hidden ones, sorted; raises `ValueError` if the folder does not exist."""
    if image_dir is None or not os.path.isdir(image_dir):
        raise ValueError("Please provide a valid directory path!")
    top = os.path.abspath(os.fspath(image_dir))
    found = []
    for folder, inside, files in os.walk(top):
        found += [os.path.join(folder, name) for name in files if not name.startswith(".")]
        if not recursive:
            inside.clear()
    return [Path(name) for name in sorted(found)]


def generate_relative_names(image_dir: Any, files: Sequence[Any]) -> list[str]:
    """Return the paths of files relative to the folder."""
    top = os.path.abspath(os.fspath(image_dir))
    return [os.path.relpath(os.path.abspath(os.fspath(name)), top) for name in files]


def get_files_to_remove(duplicates: Mapping[str, Sequence[Any]]) -> list[str]:
    """Go through the map, mark every neighbour of an unmarked file, and return these in the order of marking."""
    marked: dict[str, None] = {}
    for name, others in duplicates.items():
        if name not in marked:
            marked.update(dict.fromkeys(other[0] if isinstance(other, tuple | list) else other for other in others))
    return list(marked)


def save_json(results: Any, filename: str, float_scores: bool = False) -> None:
    """Write a result atomically as JSON with sorted keys and an indent of 2.

    An earlier result is replaced; raises `UsageError` if the file is anything else.
    """
    text = json.dumps(results, indent=2, sort_keys=True, default=float)
    outputs.write(os.fspath(filename), [text.encode("utf-8", "surrogatepass")], _RESULT)


def parallelise(function: Callable[[Any], T], data: Sequence[Any], verbose: bool, num_workers: int) -> list[T]:
    """Return `function` of each item of `data`, in order, computed in `num_workers` threads.

    Threads, not processes: scripts need no `if __name__ == "__main__":`, and objects are shared, not copied.
    """
    seen, found = progress(verbose), list[T]()
    with seen.stage("read", len(data)), ThreadPoolExecutor(max(1, num_workers)) as threads:
        for value in threads.map(function, data):
            found.append(value)
            seen.advance()
    return found
