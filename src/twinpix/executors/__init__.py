"""Executors apply a task to items: `Local` in worker processes of this machine, `OnRay` on a Ray cluster."""

import contextlib
from collections.abc import Callable, Iterator

from twinpix.errors import UsageError
from twinpix.executors.base import Begin, Executor, Task
from twinpix.executors.costs import table_of_costs
from twinpix.executors.local import Local
from twinpix.executors.lost import Lost

__all__ = ["Begin", "Executor", "Local", "Lost", "Task", "address_of", "open_executor", "table_of_costs"]

_ON_RAY = "ray:address="


def address_of(spec: str) -> str | None:
    """Return the address of the cluster that `ray` or `ray:address=ADDRESS` names, "" without one; None for `local`.

    Raises `UsageError` for anything else.
    """
    if spec == "local":
        return None
    if spec == "ray":
        return ""
    if spec.startswith(_ON_RAY) and len(spec) > len(_ON_RAY):
        return spec.removeprefix(_ON_RAY)
    raise UsageError(f"executor is local, ray or ray:address=ADDRESS, not {spec!r}", field="executor")


@contextlib.contextmanager
def open_executor(spec: str, workers: int, timeout: float, note: Callable[[str], None]) -> Iterator[Executor]:
    """Open an executor by its name; `workers` is the number of processes of the local one."""
    address = address_of(spec)
    if address is None:
        local = Local(workers, timeout, note=note, keeps=True)
        try:
            yield local
        finally:
            local.close()
        return
    from twinpix.executors.cluster import OnRay

    cluster = OnRay(address, timeout)
    try:
        yield cluster
    finally:
        cluster.close()
