"""Run tasks on the machines of a Ray cluster, with the same results as on this machine.

Each core of the cluster has an actor with a worker process of its own (`Service`), so an image that crashes or hangs
its decoder costs one result, as it does with `Local`. If an actor is lost, for example with its machine, its batch is
done again; a batch that is lost three times is cut into halves, down to the image that ends every actor.
"""

import importlib.metadata
import logging
import os
import socket
from collections import Counter, deque
from collections.abc import Collection, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from twinpix.errors import UsageError, WorkerError, system_reason
from twinpix.executors.base import Task, map_batches
from twinpix.executors.lost import Lost

_TRIES = 3  # actors that a batch may lose before it is cut into halves
_IN_FLIGHT = 2  # batches of an actor: one is sent while it works on the other
_CONNECT_SECONDS = 5.0
_START_SECONDS = 60.0  # within which the cluster must have a core for the first actor
_NAMESPACE = "twinpix"


@dataclass(slots=True)
class _Sent:
    """A batch that an actor works on."""

    actor: Any
    batch: Sequence[Any]
    tries: int


@dataclass(slots=True)
class OnRay:
    """The cores of a Ray cluster; an item may take `timeout` seconds.

    `address` is that of a cluster, `auto` for the one that this machine belongs to, or "" for a Ray of this machine
    alone. Raises `UsageError` if Ray is not installed, or no cluster is there.
    """

    address: str = ""
    timeout: float = 60.0
    _actors: list[Any] = field(default_factory=list)  # that have started
    _starting: dict[Any, Any] = field(default_factory=dict)  # by the handle of their check
    _misses: int = 0  # actors that did not start, in a row
    _ray: Any = None

    def __post_init__(self) -> None:
        self._ray = _connect(self.address)

    @property
    def remote(self) -> bool:
        """True."""
        return True

    @property
    def size(self) -> int:
        """The number of cores of the cluster."""
        return max(1, int(self._ray.cluster_resources().get("CPU", 1)))

    def map(self, task: Task, batches: Iterable[Sequence[Any]]) -> Generator[tuple[Any, Any], None, None]:
        """See `Executor.map`; raises `WorkerError` if the cluster has no core."""
        yield from map_batches(partial(self._run, task), batches)

    def share(self, value: Any) -> Any:
        """Return a reference to a value in the memory that the processes of a machine share."""
        return self._ray.put(value)

    def close(self) -> None:
        """End the actors."""
        for actor in (*self._actors, *self._starting.values()):
            self._ray.kill(actor)
        self._actors.clear()
        self._starting.clear()

    def _run(self, task: Task, queue: Iterator[Sequence[Any]]) -> Generator[tuple[Sequence[Any], Any], None, None]:
        """Yield `(batch, results)` as batches finish, and `(batch, Lost)` for an item that ends every actor."""
        sent, again = dict[Any, _Sent](), deque[tuple[Sequence[Any], int]]()
        handle = self._ray.put(task)
        try:
            while True:
                self._send(handle, queue, sent, again)
                if not sent and not again:
                    return
                self._start_more(sent)
                limit = None if sent else _START_SECONDS
                done, _ = self._ray.wait([*sent, *self._starting], num_returns=1, timeout=limit)
                if not done:
                    raise WorkerError(f"the Ray cluster had no free core within {_START_SECONDS:g} s")
                for reference in done:
                    if reference in self._starting:
                        self._started(reference)
                        continue
                    one = sent.pop(reference)
                    results = self._results(reference, one, again)
                    if results is not None:
                        yield one.batch, results
        finally:
            for reference in sent:
                self._ray.cancel(reference)

    def _send(
        self, task: Any, queue: Iterator[Sequence[Any]], sent: dict[Any, _Sent], again: deque[tuple[Sequence[Any], int]]
    ) -> None:
        """Give every actor that has started its batches; the first batch waits for the first actor."""
        while True:
            load = Counter(dict.fromkeys(self._actors, 0))
            load.update(one.actor for one in sent.values() if one.actor in load)
            idle = min(load, key=load.__getitem__, default=None)
            if (idle is not None and load[idle] >= _IN_FLIGHT) or (idle is None and again):
                return
            batch, tries = again.popleft() if again else (next(queue, None), 0)
            if batch is None:
                return
            if idle is None:
                again.append((batch, tries))
                return
            sent[idle.run.remote([task], batch)] = _Sent(idle, batch, tries)

    def _start_more(self, sent: Collection[Any]) -> None:
        """Start actors for the cores that have none: all that are known to be free, and at least one."""
        room = self.size - len(self._actors) - len(self._starting)
        needed = 1 if not self._actors else max(0, len(sent) - len(self._actors))
        for _ in range(min(room, needed)):
            actor = _actor_class(self._ray).remote(_version(), str(Path.cwd()), self.timeout)
            self._starting[actor.check.remote()] = actor

    def _started(self, reference: Any) -> None:
        """Note that an actor can work, or raise why the first one cannot."""
        actor = self._starting.pop(reference)
        try:
            self._ray.get(reference)
        except self._ray.exceptions.RayTaskError as error:
            raise _cause(error) from None
        except self._ray.exceptions.RayError as error:
            self._misses += 1
            if self._misses >= _TRIES and not self._actors:
                raise WorkerError(f"no worker starts on the Ray cluster: {_first_line(error)}") from None
            return
        self._misses = 0
        self._actors.append(actor)

    def _results(self, reference: Any, one: _Sent, again: deque[tuple[Sequence[Any], int]]) -> list[Any] | Lost | None:
        """Return the results of a batch, or None if it is done again."""
        try:
            return list(self._ray.get(reference))
        except self._ray.exceptions.RayTaskError as error:
            raise _cause(error) from None
        except self._ray.exceptions.RayError as error:
            if one.actor in self._actors:
                self._actors.remove(one.actor)
            if one.tries + 1 < _TRIES:
                again.append((one.batch, one.tries + 1))
            elif len(one.batch) > 1:
                middle = len(one.batch) // 2
                again.extend((half, 0) for half in (one.batch[:middle], one.batch[middle:]))
            else:
                return Lost(0, f"ended its worker on the cluster {_TRIES} times ({_first_line(error)})")
            return None


def _connect(address: str) -> Any:
    """Return the module of Ray, connected to a cluster."""
    try:
        import ray
    except ImportError:
        raise UsageError("the executor ray needs Ray; install twinpix[ray]", field="executor") from None
    if ray.is_initialized():
        return ray
    if ":" in address:
        _require_listener(address)
    try:
        ray.init(
            address=address or "local",
            namespace=_NAMESPACE,
            include_dashboard=False if not address else None,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    except (ConnectionError, ValueError, RuntimeError) as error:
        why = _first_line(error)
        raise UsageError(f"there is no Ray cluster at {address!r}: {why}; start one, or use ray alone") from None
    return ray


def _require_listener(address: str) -> None:
    """Raise `UsageError` if nothing answers at an address; Ray itself would try it for minutes."""
    place = urlsplit(address if "://" in address else f"//{address}")
    try:
        socket.create_connection((place.hostname or "", place.port or 0), _CONNECT_SECONDS).close()
    except (OSError, ValueError) as error:
        why = system_reason(error) if isinstance(error, OSError) else str(error)
        raise UsageError(f"there is no Ray cluster at {address!r}: {why}", field="executor") from None


def _version() -> str:
    try:
        return importlib.metadata.version("twinpix")
    except importlib.metadata.PackageNotFoundError:  # its source is on the path, and nothing is installed
        return "of its source"


def _actor_class(ray: Any) -> Any:
    """Return the class of the actors; it is made here, because Ray is loaded only if it is used."""
    return ray.remote(num_cpus=1, max_restarts=0, max_task_retries=0, scheduling_strategy="SPREAD")(_Actor)


class _Actor:
    """A core of the cluster: it does the items of a batch in a worker process, one after the other."""

    def __init__(self, program: str, folder: str, timeout: float) -> None:
        here = _version()
        self._fault = ""
        if program != here:
            self._fault = f"a machine of the cluster has twinpix {here}, this one {program}: install the same version"
        try:
            os.chdir(folder)  # relative paths are those of the caller
        except OSError:
            self._fault = (
                self._fault or f"a machine of the cluster has no folder {folder}: images must be there or in a store"
            )
        self._timeout = timeout
        self._task: Any = None
        self._service: Any = None

    def check(self) -> None:
        """Raise `UsageError` if this machine cannot do the work."""
        if self._fault:
            raise UsageError(self._fault)

    def run(self, task: list[Any], batch: Sequence[Any]) -> list[Any]:
        """Return one result for each item of a batch, or its `Lost`; `task` has the handle of the task.

        A task that is not `isolated` runs here: its items are numbers, which end no process.
        """
        import ray

        from twinpix.executors.service import Service

        self.check()
        if task != self._task:
            if self._service is not None:
                self._service.close()
            self._task, self._service = task, None
        work = ray.get(task[0])
        if not getattr(work, "isolated", True):
            return list(work([_with_shared(item) for item in batch], lambda index: None))
        self._service = self._service or Service(work, 1, self._timeout)
        return [answer.result() for answer in [self._service.ask(item) for item in batch]]


def _with_shared(item: Any) -> Any:
    """Return an item with the values that its fields stand for."""
    import ray

    return item._replace(
        **{name: ray.get(value) for name, value in item._asdict().items() if isinstance(value, ray.ObjectRef)}
    )


def _cause(error: Any) -> Exception:
    """Return the exception of a task, which Ray wraps."""
    cause = getattr(error, "cause", None)
    return cause if isinstance(cause, Exception) else WorkerError(_first_line(error))


def _first_line(error: BaseException) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
