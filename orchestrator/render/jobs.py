"""Jobs as a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from orchestrator.client.views import JobView
from orchestrator.lifecycle.states import State
from orchestrator.render.progress import NONE, job_progress, place_text, rate_text
from orchestrator.render.table import table
from orchestrator.render.waiting import waits_for
from orchestrator.render.words import shortened
from orchestrator.units import format_count, format_duration, format_memory

REASON_CELLS = 160
_HEADER = (
    *("ID", "NAME", "KIND", "STATE", "GPUS", "VRAM", "PROGRESS", "AGE", "REASON"),
)


def jobs_table(jobs: Sequence[JobView], now: datetime) -> list[str]:
    """The jobs, one a line, under a header."""
    return table(_HEADER, [_row(job, now) for job in jobs])


def counts_line(
    counts: Mapping[State, int], shown: int, *, every: bool, listed: int | None = None
) -> str:
    """How many jobs are in which state, and how many are not shown.

    Args:
        counts: How many there are, by state.
        shown: How many of them are on the list.
        every: The list has finished ones too.
        listed: How many there might be on it; `None`: as `counts` has it.
    """
    wanted = {s: n for s, n in counts.items() if n and (every or not s.final)}
    said = [f"{format_count(n)} {state.lower()}" for state, n in wanted.items()]
    parts = [", ".join(said) or ("no jobs" if every else "no unfinished jobs")]
    cut = (sum(wanted.values()) if listed is None else listed) - shown
    if cut > 0:
        parts.append(f"{format_count(cut)} not shown (-n)")
    hidden = 0 if every else sum(n for state, n in counts.items() if state.final)
    if hidden:
        parts.append(f"{format_count(hidden)} finished hidden (-a)")
    return " · ".join(parts)


def gpus_text(names: Iterable[str]) -> str:
    """GPU names grouped by node: `local:0,1 other:0`."""
    nodes: dict[str, list[str]] = {}
    for name in names:
        node, _colon, index = name.rpartition(":")
        nodes.setdefault(node, []).append(index)
    return " ".join(f"{node}:{','.join(of)}" for node, of in nodes.items()) or NONE


def reason(job: JobView) -> str:
    """Why the job is where it is, in one clause."""
    if job.faults:
        return f"{job.faults[0].code} {job.faults[0].message}"
    if job.state is State.PENDING:
        return waits_for(job)
    if job.state is State.RUNNING:
        return _working(job)
    if job.state.final and job.state is not State.SUCCEEDED:
        return job.cause.replace("_", " ")
    return ""


def _working(job: JobView) -> str:
    if job.command is not None:
        return place_text(job.command)
    return "" if job.tasks is not None else rate_text(job.progress)


def _row(job: JobView, now: datetime) -> tuple[str, ...]:
    placements = job.plan.placements if job.plan else ()
    reserved = sum(placement.reserve_bytes for placement in placements)
    return (
        str(job.key),
        job.name,
        job.kind,
        str(job.state),
        gpus_text(placement.gpu.name for placement in placements),
        format_memory(reserved) if reserved else NONE,
        job_progress(job).replace(" rows", ""),
        format_duration((now - job.created_at).total_seconds()),
        shortened(reason(job), REASON_CELLS),
    )
