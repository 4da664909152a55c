"""What this process may use of the machine."""

import os


def cores() -> int:
    """How many processors this process may run on; fewer than there are in a container or under `taskset`."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
