"""Run tasks on the machines of a Ray cluster, with the same results as on this machine.

Each core of the cluster has an actor with a worker process of its own (`Local`), so an image that crashes or hangs
its decoder costs one result, as it does on one machine. If an actor is lost, for example with its machine, its batches
are done again. A batch that ends three actors is cut into single items, so that the image that ends every actor costs
one result.
"""

import importlib.metadata
import logging
import os
import pickle
import socket
import time
from collections import Counter, deque
from collections.abc import Collection, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

from twinpix.errors import UsageError, WorkerError, system_reason
from twinpix.executors.base import Begin, Task, map_batches
from twinpix.executors.costs import Cost, name_of_step
from twinpix.executors.local import Local
from twinpix.executors.lost import Lost

_TRIES = 3  # actors that a batch may end before it is cut into its items, and each item then
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
class _Run:
    """A task with its batches: those to come, those that actors work on, and those to be sent again."""

    task: Any  # its handle
    name: str  # of its step, for the dashboard of Ray
    isolated: bool
    queue: Iterator[Sequence[Any]]
    cost: Cost
    sent: dict[Any, _Sent] = field(default_factory=dict)  # by the handle of the results
    again: deque[tuple[Sequence[Any], int]] = field(default_factory=deque)  # with the number of tries


@dataclass(slots=True)
class OnRay:
    """The cores of a Ray cluster; an item may take `timeout` seconds.

    `address` is that of a cluster (`HOST:PORT`, or `ray://HOST:PORT` for a client of it), `auto` for the one that this
    machine belongs to, or "" for a Ray of this machine alone. Raises `UsageError` if Ray is not installed, or no
    cluster is there.
    """

    address: str = ""
    timeout: float = 60.0
    costs: dict[str, Cost] = field(default_factory=dict)  # by stage
    _actors: dict[Any, str] = field(default_factory=dict)  # that have started, with their machines
    _starting: dict[Any, Any] = field(default_factory=dict)  # by the handle of their check
    _misses: int = 0  # actors that did not start, in a row
    _task: tuple[Any, Any] = (None, None)  # of the last run, with its handle
    _ray: Any = None
    _here: str = ""  # this machine
    _sizes: dict[bytes, int] = field(default_factory=dict)  # bytes of shared values
    _copies: set[tuple[bytes, str]] = field(default_factory=set)  # shared values with the machines they were sent to

    def __post_init__(self) -> None:
        self._ray = _connect(self.address)
        self._here = self._ray.get_runtime_context().get_node_id()

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
        reference = self._ray.put(value)
        self._sizes[reference.binary()] = _size_of(value)
        return reference

    def close(self) -> None:
        """End the actors."""
        for actor in (*self._actors, *self._starting.values()):
            self._ray.kill(actor)
        self._actors.clear()
        self._starting.clear()

    def _run(self, task: Task, queue: Iterator[Sequence[Any]]) -> Generator[tuple[Sequence[Any], Any], None, None]:
        """Yield `(batch, results)` as batches finish, and `(batch, Lost)` for an item that ends every actor."""
        stage = getattr(task, "stage", type(task).__name__)
        name, cost = f"twinpix: {name_of_step(stage)}", self.costs.setdefault(stage, Cost())
        if not getattr(task, "keeps_workers", False) or task != self._task[0]:
            self._task = task, self._ray.put(task)  # with another handle, the actors start other processes
        run = _Run(self._task[1], name, getattr(task, "isolated", True), queue, cost)
        try:
            while True:
                self._send(run)
                if not run.sent and not run.again:
                    return
                self._start_more(run.sent)
                limit = None if run.sent else _START_SECONDS
                done, _ = self._ray.wait([*run.sent, *self._starting], num_returns=1, timeout=limit)
                if not done:
                    raise WorkerError(f"the Ray cluster had no free core within {_START_SECONDS:g} s")
                for reference in done:
                    if reference in self._starting:
                        self._started(reference)
                        continue
                    yield from self._finished(reference, run)
        finally:
            for reference in run.sent:
                self._ray.cancel(reference)

    def _send(self, run: _Run) -> None:
        """Give every actor that has started its batches; the first batch waits for the first actor."""
        while True:
            load = Counter(dict.fromkeys(self._actors, 0))
            load.update(one.actor for one in run.sent.values() if one.actor in load)
            idle = min(load, key=load.__getitem__, default=None)
            if (idle is not None and load[idle] >= _IN_FLIGHT) or (idle is None and run.again):
                return
            batch, tries = run.again.popleft() if run.again else (next(run.queue, None), 0)
            if batch is None:
                return
            if idle is None:
                run.again.append((batch, tries))
                return
            content = pickle.dumps(batch, pickle.HIGHEST_PROTOCOL) if run.isolated else batch
            run.cost.sent += self._bytes_to(self._actors[idle], content)
            reference = idle.run.options(name=run.name).remote([run.task], content)
            run.sent[reference] = _Sent(idle, batch, tries)

    def _bytes_to(self, machine: str, content: Any) -> int:
        """Return the bytes that a machine gets with a batch: itself, or the shared values that were not sent there."""
        if machine == self._here:
            return 0
        if isinstance(content, bytes):
            return len(content)
        shared = {value.binary() for item in content for value in item if isinstance(value, self._ray.ObjectRef)}
        fresh = {(value, machine) for value in shared} - self._copies
        self._copies |= fresh
        return sum(self._sizes[value] for value, _ in fresh)

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
            machine = self._ray.get(reference)
        except self._ray.exceptions.RayTaskError as error:
            raise _cause(error) from None
        except self._ray.exceptions.RayError as error:
            self._misses += 1
            if self._misses >= _TRIES and not self._actors:
                raise WorkerError(f"no worker starts on the Ray cluster: {_first_line(error)}") from None
            return
        self._misses = 0
        self._actors[actor] = machine

    def _finished(self, reference: Any, run: _Run) -> Iterator[tuple[Sequence[Any], Any]]:
        """Yield a batch with its results; if its actor is lost, queue the batches of this actor again.

        An actor does its batches in the order in which they were sent, so the first one without results has ended it,
        and only for that one the try counts. An item that has ended `_TRIES` actors alone is yielded with its `Lost`.
        """
        one = run.sent[reference]
        results = self._results(reference, one, run)
        if isinstance(results, list):
            del run.sent[reference]
            yield one.batch, results
            return
        self._actors.pop(one.actor, None)
        self._ray.kill(one.actor)  # if only its results were lost, with the memory of another machine
        lost = list[_Sent]()
        for each in [each for each, other in run.sent.items() if other.actor == one.actor]:
            other = run.sent.pop(each)
            others = self._results(each, other, run)
            if isinstance(others, list):
                yield other.batch, others
            else:
                lost.append(other)
        run.cost.retries += len(lost)
        first = lost[0]
        run.again.extend((other.batch, other.tries) for other in lost[1:])
        if first.tries + 1 < _TRIES:
            run.again.append((first.batch, first.tries + 1))
        elif len(first.batch) > 1:
            run.again.extend(([item], 0) for item in first.batch)
        else:
            run.cost.retries -= 1
            yield first.batch, Lost(0, f"ended its worker on the cluster {_TRIES} times ({_first_line(results)})")

    def _results(self, reference: Any, one: _Sent, run: _Run) -> list[Any] | Exception:
        """Return the results of a batch, or the error if its actor is lost; raises the exception of its task."""
        try:
            content, seconds = self._ray.get(reference)
        except self._ray.exceptions.RayTaskError as error:
            raise _cause(error) from None
        except self._ray.exceptions.RayError as error:
            return Exception(error)
        run.cost.core_seconds += seconds
        run.cost.received += 0 if self._actors.get(one.actor, "") == self._here else len(content)
        return list(pickle.loads(content))  # noqa: S301 - of the cluster that the user named, which runs our code


def _size_of(value: Any) -> int:
    """Return the bytes of a value on its way to another machine."""
    buffers = list[pickle.PickleBuffer]()
    content = pickle.dumps(value, pickle.HIGHEST_PROTOCOL, buffer_callback=buffers.append)
    return len(content) + sum(buffer.raw().nbytes for buffer in buffers)


def _connect(address: str) -> Any:
    """Return the module of Ray, connected to a cluster."""
    try:
        import ray
    except ImportError:
        raise UsageError("Ray is not installed: install twinpix[ray]", field="executor") from None
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
    except (ConnectionError, ValueError, RuntimeError, ImportError) as error:
        advice = "start one, use ray alone, or set RAY_AUTH_MODE and the token here as on the cluster, if it has one"
        why = f"{_first_line(error).rstrip('.')}; {advice}"
        raise UsageError(f"there is no Ray cluster at {address!r}: {why}", field="executor") from None
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
    return ray.remote(num_cpus=1, max_restarts=0, max_task_retries=0, scheduling_strategy="SPREAD")(TwinpixWorker)


class TwinpixWorker:
    """A core of the cluster: it does the items of a batch in a worker process, one after the other.

    The dashboard of Ray shows the name of this class.
    """

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
        self._local = Local(workers=1, timeout=timeout, keeps=True)
        self._handle = list[Any]()  # of the task
        self._task: Any = None

    def check(self) -> str:
        """Return the name of this machine; raises `UsageError` if it cannot do the work."""
        import ray

        if self._fault:
            raise UsageError(self._fault)
        return str(ray.get_runtime_context().get_node_id())

    def run(self, task: list[Any], content: Any) -> tuple[bytes, float]:
        """Return one result for each item of a batch, or its `Lost`, all pickled, and the core seconds that it took.

        `task` has the handle of the task; `content` is the batch, pickled if the task is `isolated`. A task that is not
        runs here: its items are numbers, which end no process.
        """
        begun = time.process_time()
        results, seconds = self._do(task, content)
        return pickle.dumps(results, pickle.HIGHEST_PROTOCOL), seconds + time.process_time() - begun

    def _do(self, task: list[Any], content: Any) -> tuple[list[Any], float]:
        """Return the results of a batch, and the core seconds of the process that made them, if it is another one."""
        import ray

        self.check()
        if task != self._handle:
            self._local.close()
            self._handle, self._task = task, ray.get(task[0])
        if not getattr(self._task, "isolated", True):
            return list(self._task([_with_shared(item) for item in content], lambda index: None)), 0.0
        batch = pickle.loads(content)  # noqa: S301 - of the process that started this one
        found = dict[int, tuple[Any, float]]()
        for (number, _), answer in self._local.map(_TimedTask(self._task), [list(enumerate(batch))]):
            found[number] = (answer, 0.0) if isinstance(answer, Lost) else answer
        return [found[number][0] for number in range(len(batch))], sum(seconds for _, seconds in found.values())


@dataclass(frozen=True)
class _TimedTask:
    """A task on numbered items, with the core seconds of each result."""

    task: Task
    keeps_workers: ClassVar[bool] = True  # for the next batch: the actor ends them with the task

    def __call__(self, batch: Sequence[tuple[int, Any]], begin: Begin) -> list[tuple[Any, float]]:
        begun = time.process_time()
        results = self.task([item for _, item in batch], begin)
        seconds = (time.process_time() - begun) / len(batch)
        return [(result, seconds) for result in results]


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
