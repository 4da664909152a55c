"""Indexes saved to disk: a folder with faiss's file and `settings.json`, which describes the index and its codes.

A folder is created atomically: it is written under another name in the same parent folder and then renamed. The digest
of the file is verified before faiss reads it, because a damaged file could crash the process.
"""

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import xxhash

from twinpix import plugins
from twinpix.errors import OutputError, UsageError, system_reason
from twinpix.search.ann.rerank import DistinctCodes, LibraryIndex, Options, ask, version_of
from twinpix.search.base import OnProgress

_INDEX, _SETTINGS = "index", "settings.json"
_PREFIX = ".twinpix-index-"
_LONG = 24 * 3600.0  # seconds: saving takes seconds, or minutes on a network disk, so older folders are left over
_CHUNK = 1 << 20
_ADDED = 1 << 14  # codes per batch


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Describes the codes of an index and how it was built. An index is reused if all fields except `files` match."""

    backend: str
    library: str
    version: str  # of the library
    metric: str
    width: int  # bits, or components
    count: int  # number of distinct codes
    options: dict[str, int | str]  # the options of the build
    codes: str  # digest of the codes
    files: dict[str, str] = {}  # digest of the index file, by its name

    def differences(self, wanted: "Settings") -> list[str]:
        """Return descriptions of the differences; for another kind of index only that one."""
        for name in ("backend", "metric"):
            if getattr(self, name) != getattr(wanted, name):
                return [f"{name} {getattr(self, name)}, not {getattr(wanted, name)}"]
        if self.options.get("index") != wanted.options.get("index"):
            return [f"index={self.options.get('index')}, not {wanted.options.get('index')}"]
        out = []
        for name in ("version", "width", "count"):
            have, want = getattr(self, name), getattr(wanted, name)
            if have != want:
                out.append(f"{name} {have}, not {want}")
        for name in sorted(self.options.keys() | wanted.options.keys()):
            have, want = self.options.get(name, "none"), wanted.options.get(name, "none")
            if have != want:
                out.append(f"{name}={have}, not {want}")
        if not out and self.codes != wanted.codes:
            out.append("other codes")
        return out


def ready(index: LibraryIndex, side: DistinctCodes, backend: Options, on_progress: OnProgress) -> None:
    """Load an index from the back end's folder; if it does not exist, build it from the codes and save it there.

    Raises `UsageError` if the folder holds an index of other codes or options, other files or a damaged index, and
    `OutputError` if the folder cannot be written.
    """
    if not backend.path:
        _build(index, side, backend, on_progress)
        return
    folder, wanted = Path(backend.path).expanduser(), _settings_of(index, side, backend)
    if _is_taken(folder):
        _require(folder, wanted)
        try:
            ask(backend.package, index.load, str(folder / _INDEX))
        except UsageError:
            raise _damaged_error(folder, _INDEX) from None
        on_progress(1.0)
        return
    with _temporary_folder(folder):  # fail before the build if the folder cannot be written
        pass
    _build(index, side, backend, on_progress)
    with _temporary_folder(folder) as place, _translate_errors(folder):
        index.save(str(place / _INDEX))
        settings = msgspec.structs.replace(wanted, files={_INDEX: _digest(place / _INDEX)})
        (place / _SETTINGS).write_bytes(msgspec.json.format(msgspec.json.encode(settings), indent=1))
        try:
            if folder.exists():
                folder.rmdir()
            place.rename(folder)
        except OSError:
            if not _is_taken(folder):  # else another process has saved the index in the meantime
                raise


def _build(index: LibraryIndex, side: DistinctCodes, backend: Options, on_progress: OnProgress) -> None:
    ask(backend.package, index.start, len(side), side.sample)
    for first in range(0, len(side), _ADDED):
        ask(backend.package, index.add, side.codes(slice(first, first + _ADDED)), first)
        on_progress(min(1.0, (first + _ADDED) / len(side)))


def _settings_of(index: LibraryIndex, side: DistinctCodes, backend: Options) -> Settings:
    return Settings(
        backend=plugins.name_of(backend),
        library=backend.package,
        version=version_of(backend),
        metric=side.metric,
        width=side.width,
        count=len(side),
        options=index.build_options(len(side)),
        codes=side.digest,
    )


def _is_taken(folder: Path) -> bool:
    try:
        return any(folder.iterdir())
    except FileNotFoundError:
        return False
    except OSError as error:
        raise UsageError(f"{folder} cannot be the folder of an index: {system_reason(error)}") from None


def _require(folder: Path, wanted: Settings) -> None:
    """Raise `UsageError` unless the folder holds the wanted index, undamaged."""
    try:
        settings = msgspec.json.decode((folder / _SETTINGS).read_bytes(), type=Settings)
    except FileNotFoundError:
        raise UsageError(f"{folder} holds other things than an index: name a new folder") from None
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        raise _damaged_error(folder, _SETTINGS) from None
    if differences := settings.differences(wanted):
        raise UsageError(
            f"{folder} holds another index ({'; '.join(differences)}): remove the folder, or name another one"
        )
    try:
        is_whole = settings.files == {_INDEX: _digest(folder / _INDEX)}
    except OSError:
        is_whole = False
    if not is_whole:
        raise _damaged_error(folder, _INDEX)


def _damaged_error(folder: Path, name: str) -> UsageError:
    return UsageError(f"the index in {folder} is damaged ({name}): remove the folder, and it will be built again")


def _digest(file: Path) -> str:
    hashed = xxhash.xxh3_128()
    with file.open("rb") as source:
        while chunk := source.read(_CHUNK):
            hashed.update(chunk)
    return hashed.hexdigest()


@contextmanager
def _temporary_folder(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder on the same disk; it is removed at the end, also after an exception.

    If the process is killed, the folder stays; a later run removes it.
    """
    with _translate_errors(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        there = tempfile.TemporaryDirectory(prefix=_PREFIX, dir=folder.parent, ignore_cleanup_errors=True)
    with there as name:
        for other in sorted(folder.parent.glob(f"{_PREFIX}*")):
            if _is_left_over(other):
                shutil.rmtree(other, ignore_errors=True)
        place = Path(name) / _INDEX
        place.mkdir()
        yield place


def _is_left_over(folder: Path) -> bool:
    """True for a folder of `_temporary_folder` that holds only its files and was not written to for `_LONG`."""
    try:
        if folder.is_symlink() or not folder.is_dir():
            return False
        top = {path.name for path in folder.iterdir()}
        made = {path.name for path in (folder / _INDEX).iterdir()} if top else set()
        if top - {_INDEX} or made - {_INDEX, _SETTINGS}:
            return False
        return all(path.lstat().st_mtime < time.time() - _LONG for path in (folder, *folder.rglob("*")))
    except OSError:  # no permission, or removed by another process in the meantime
        return False


@contextmanager
def _translate_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, RuntimeError) as error:  # faiss raises RuntimeError
        why = system_reason(error) if isinstance(error, OSError) else error
        raise OutputError(f"cannot keep the index in {folder}: {why}") from None
