"""What each step of a run costs on a cluster, as a table for the terminal."""

from collections.abc import Mapping
from dataclasses import dataclass

from twinpix.text import bytes_text

_STEPS = {
    "list": "list",
    "compile": "compile",
    "read": "read and encode",
    "compare": "compare",
    "verify": "verify",
    "group": "group",
    "": "other",
}
"""Steps by the name of their stage in `Progress`, in the order of the table."""

_HEAD = ("step", "seconds", "core seconds", "sent", "received", "retries")


@dataclass(slots=True)
class Cost:
    """What the workers did for one step.

    `core_seconds` are those of batches that were finished. `sent` and `received` are bytes to and from other machines
    than this one. `retries` is the number of batches that were sent again, because their worker or machine was lost.
    """

    core_seconds: float = 0.0
    sent: int = 0
    received: int = 0
    retries: int = 0

    def add(self, other: "Cost") -> None:
        """Add the cost of another step."""
        self.core_seconds += other.core_seconds
        self.sent += other.sent
        self.received += other.received
        self.retries += other.retries


def name_of_step(stage: str) -> str:
    """Return the name of a step, by its stage."""
    return _STEPS.get(stage, stage)


def table_of_costs(times: Mapping[str, tuple[float, float]], costs: Mapping[str, Cost]) -> str:
    """Return the table of the costs of a run, with a row for each step and one for all.

    `times` are the seconds and the core seconds of this process by stage, "" for the time outside all stages; `costs`
    are those of the workers by stage.
    """
    stages = sorted({*times, *costs}, key=lambda stage: [*_STEPS].index(stage) if stage in _STEPS else len(_STEPS))
    rows, all_seconds, total = [_HEAD], 0.0, Cost()
    for stage in stages:
        (seconds, cores), cost = times.get(stage, (0.0, 0.0)), costs.get(stage, Cost())
        total.add(cost)
        total.core_seconds += cores
        all_seconds += seconds
        rows.append(_row(name_of_step(stage), seconds, cores + cost.core_seconds, cost))
    rows.append(_row("all", all_seconds, total.core_seconds, total))
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    return "\n".join("  ".join(["", row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows)


def _row(name: str, seconds: float, cores: float, cost: Cost) -> tuple[str, str, str, str, str, str]:
    return (
        name,
        f"{seconds:,.1f}",
        f"{cores:,.1f}",
        bytes_text(cost.sent),
        bytes_text(cost.received),
        f"{cost.retries:,}",
    )
