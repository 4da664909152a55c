"""The resources of a run: the store, the executor and the progress display."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from twinpix import sources
from twinpix.encoding.options import Options, names_of
from twinpix.encoding.work_folder import WorkFolder
from twinpix.errors import StoreError
from twinpix.executors import Executor, open_executor, table_of_costs
from twinpix.logs import logger
from twinpix.progress import Progress
from twinpix.progress.timed import Timed
from twinpix.sources.credentials import show_url
from twinpix.sources.fetched import keep_fetched
from twinpix.sources.lists import Locations, read_locations
from twinpix.sources.storage import forget_status, leave_thread
from twinpix.store import Store, default_path


@dataclass(frozen=True, slots=True)
class Session:
    """The resources of a run, created once and passed to every stage that reads images."""

    store: Store
    executor: Executor
    progress: Progress

    @property
    def cluster(self) -> Executor | None:
        """The executor if its workers are on other machines: long searches then run there too."""
        return self.executor if self.executor.remote else None


@contextmanager
def open_session(options: Options, progress: Progress) -> Iterator[Session]:
    """Open the store and create the executor of the options; close the store at the end. See `open_store`.

    If the executor has workers on other machines, a run that is completed ends with a note of what each step cost.
    """
    forget_status()
    timed = Timed(progress)
    try:
        with (
            open_store(options, progress) as store,
            open_executor(options.executor, options.workers, options.timeout, progress.note) as executor,
            keep_fetched(),
        ):
            yield Session(store, executor, timed)
            if executor.remote:
                table = table_of_costs(timed.times(), executor.costs)
                logger.info("costs of the run:\n%s", table)
                progress.note(f"costs of the run:\n{table}")
    finally:
        leave_thread()  # a file system that the caller makes later may use it


@contextmanager
def open_store(options: Options, progress: Progress) -> Iterator[Store]:
    """Open the store of the options; at the end, close it and pass its notes to `progress`.

    With a work folder, the results in it are added, and those of the run are written to it. Raises `StoreError` if a
    store other than the default one cannot be used, `UsageError` if the work folder cannot.
    """
    store = _store_of(options)
    work = None
    try:
        if options.work is not None:
            work = WorkFolder(show_url(os.fspath(options.work)), store)
            work.load()
            store.on_write = work.add
        yield store
    finally:
        try:
            store.close()
            if work is not None:
                work.flush()
        finally:
            for note in store.notes:
                progress.note(note)


def _store_of(options: Options) -> Store:
    """Return the store of the options; if the default store cannot be used, an empty one with a note of this."""
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
    store: Store | None = None,
) -> sources.Listing:
    """List the files below `paths`, `references` and `listed`, and those that the table of the options names."""
    options.require_table_of_ids()
    located = Locations()
    if options.table is not None:
        located = read_locations(show_url(os.fspath(options.table)), options.column, options.id)
    with progress.stage("list"):
        found = sources.scan(
            paths,
            references,
            [*listed, *located.names],
            recursive=options.recursive,
            hidden=options.hidden,
            follow_links=options.follow_links,
            exclude=names_of(options.exclude),
            min_size=options.min_size,
            listings=store,
            column="" if options.table is not None else options.column,
            on_progress=progress.advance,
        )
    failures = sorted([*found.failures, *located.failures], key=lambda failure: failure.path)
    return found._replace(
        failures=failures, ids=located.ids, located=located.names, notes=located.notes, table=located.table
    )
