"""What a run holds: the store, the executor and the progress display."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from twinpix import sources
from twinpix.encoding.options import Options, names_of
from twinpix.errors import StoreError
from twinpix.executors import Executor, Local
from twinpix.progress import Progress
from twinpix.store import Store, default_path


@dataclass(frozen=True, slots=True)
class Session:
    """Made once for a run; every stage that reads images takes it."""

    store: Store
    executor: Executor
    progress: Progress


@contextmanager
def open_session(options: Options, progress: Progress) -> Iterator[Session]:
    """Open the store and make the executor that the options name; close the store at the end. See `open_store`."""
    with open_store(options, progress) as store:
        yield Session(store, Local(options.workers, options.timeout, note=progress.note), progress)


@contextmanager
def open_store(options: Options, progress: Progress) -> Iterator[Store]:
    """Open the store that the options name; close it at the end, with its notes as notes of `progress`.

    Raises `StoreError` where a store that was named cannot be used.
    """
    store = _store_of(options)
    try:
        yield store
    finally:
        try:
            store.close()
        finally:
            for note in store.notes:
                progress.note(note)


def _store_of(options: Options) -> Store:
    """The store asked for; without one when the default one cannot be made, which it says in its notes."""
    if options.store is None:
        return Store(None)
    if options.store != "default":
        return Store(Path(options.store))
    try:
        return Store(default_path())
    except StoreError as error:
        store = Store(None)
        store.notes.append(f"{error}; this run continues without it")
        return store


def scan(
    options: Options,
    progress: Progress,
    paths: Sequence[str],
    references: Sequence[str] = (),
    listed: Sequence[str] = (),
) -> sources.Listing:
    """List what lies below some paths."""
    with progress.stage("list"):
        return sources.scan(
            paths,
            references,
            listed,
            recursive=options.recursive,
            hidden=options.hidden,
            follow_links=options.follow_links,
            exclude=names_of(options.exclude),
            min_size=options.min_size,
            on_progress=progress.advance,
        )
