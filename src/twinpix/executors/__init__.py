"""Executors apply a task to items; `local` does so in worker processes of this machine."""

from twinpix.executors.base import Begin, Executor, Task
from twinpix.executors.local import Local
from twinpix.executors.lost import Lost

__all__ = ["Begin", "Executor", "Local", "Lost", "Task"]
