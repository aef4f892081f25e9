"""GPU-hours by user, kind, model or job: as a table, as JSON, as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from orchestrator.client.story import Usage
from orchestrator.render.progress import NONE
from orchestrator.render.table import table
from orchestrator.render.words import counted
from orchestrator.units import format_count

SECONDS_PER_HOUR = 3600

BY: dict[str, Callable[[Usage], str]] = {
    "user": lambda usage: usage.user,
    "kind": lambda usage: usage.kind,
    "model": lambda usage: usage.model,
    "job": lambda usage: f"{usage.job} {usage.name}",
}
"""What usage can be summed up by."""


@dataclass(frozen=True, slots=True)
class Share:
    """What one user, kind, model or job has used.

    Attributes:
        name: Which one; may be empty, such as the model of commands.
        jobs: How many jobs.
        gpu_seconds: GPUs times seconds.
    """

    name: str
    jobs: int
    gpu_seconds: float

    @property
    def gpu_hours(self) -> float:
        """GPUs times hours."""
        return self.gpu_seconds / SECONDS_PER_HOUR

    def to_json(self) -> dict[str, Any]:
        """The share, hours included."""
        return {**asdict(self), "gpu_hours": round(self.gpu_hours, 6)}


def shares(usage: Sequence[Usage], by: str) -> list[Share]:
    """Usage summed up, the most GPU-hours first."""
    groups: dict[str, list[Usage]] = {}
    for entry in usage:
        groups.setdefault(BY[by](entry), []).append(entry)
    summed = [
        Share(
            name,
            len({entry.job for entry in entries}),
            sum(entry.gpu_seconds for entry in entries),
        )
        for name, entries in groups.items()
    ]
    return sorted(summed, key=lambda share: (-share.gpu_seconds, share.name))


def history_table(of: Sequence[Share], by: str) -> list[str]:
    """A line for each share."""
    rows = [
        (share.name or NONE, format_count(share.jobs), f"{share.gpu_hours:,.2f}")
        for share in of
    ]
    return table((by.upper(), "JOBS", "GPU-HOURS"), rows, ("JOBS", "GPU-HOURS"))


def history_csv(of: Sequence[Share], by: str) -> str:
    """The same for a spreadsheet, with a header."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow((by, "jobs", "gpu_seconds", "gpu_hours"))
    writer.writerows(
        (share.name, share.jobs, f"{share.gpu_seconds:.3f}", f"{share.gpu_hours:.6f}")
        for share in of
    )
    return text.getvalue()


def total_line(of: Sequence[Share], since: str | None) -> str:
    """`3.25 GPU-hours of 4 jobs since 2026-01-02T03:04:05Z`."""
    hours = sum(share.gpu_hours for share in of)
    jobs = counted(sum(share.jobs for share in of), "job")
    text = f"{hours:,.2f} GPU-hours of {jobs}"
    return f"{text} since {since}" if since else text
