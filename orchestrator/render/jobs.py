"""Jobs as a table, and one job in detail."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from orchestrator.client.views import JobView, Progress
from orchestrator.lifecycle.states import State
from orchestrator.render.paths import short_path
from orchestrator.render.table import pairs, table
from orchestrator.units import format_count, format_duration, format_memory

NONE = "-"
_HEADER = (
    *("ID", "NAME", "KIND", "STATE", "GPUS", "VRAM", "PROGRESS", "AGE", "REASON"),
)


def jobs_table(jobs: Sequence[JobView], now: datetime) -> list[str]:
    """The jobs, one a line, under a header."""
    return table(_HEADER, [_row(job, now) for job in jobs])


def counts_line(jobs: Sequence[JobView], shown: Sequence[JobView]) -> str:
    """How many jobs are in which state, and how many are not shown."""
    hidden = len(jobs) - len(shown)
    counts = {state: sum(job.state is state for job in shown) for state in State}
    said = [f"{n} {state.lower()}" for state, n in counts.items() if n]
    parts = [", ".join(said) or "no unfinished jobs"]
    if hidden:
        parts.append(f"{hidden} finished hidden (-a)")
    return " · ".join(parts)


def job_detail(job: JobView, now: datetime) -> list[str]:
    """All that is known of one job, but its diagnosis and its faults."""
    items = [
        ("JOB", f"{job.id} '{job.name}' ({job.kind})"),
        ("STATE", f"{job.state}  {reason(job)}".rstrip()),
        ("MODEL", job.model),
        ("PROGRESS", progress_text(job.progress)),
        ("TIME", _times(job, now)),
        *_replicas(job),
        ("OUTPUT", short_path(job.output)),
    ]
    if job.results:
        items.append(("RESULTS", short_path(job.results)))
    items += [("NOTICE", notice) for notice in job.notices]
    return pairs(items)


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
    if job.diagnosis is not None and job.state is State.PENDING:
        return job.diagnosis.summary
    if job.state is State.PENDING:
        return "waits for the jobs before it"
    if job.state is State.RUNNING:
        return rate_text(job.progress)
    return ""


def rate_text(progress: Progress) -> str:
    """`46.8 rows/s, ETA 2m46s`, as far as it is known."""
    parts = [f"{progress.rows_per_second:.1f} rows/s"]
    if progress.eta_seconds is not None:
        parts.append(f"ETA {format_duration(progress.eta_seconds)}")
    return ", ".join(parts)


def progress_text(progress: Progress) -> str:
    """`4,210/12,000 rows, 2 failed`, as far as it is known."""
    if progress.rows_total is None and not progress.rows_done:
        return NONE
    total = "?" if progress.rows_total is None else format_count(progress.rows_total)
    text = f"{format_count(progress.rows_done)}/{total} rows"
    if progress.rows_failed:
        text += f", {format_count(progress.rows_failed)} failed"
    return text


def _row(job: JobView, now: datetime) -> tuple[str, ...]:
    placements = job.plan.placements if job.plan else ()
    reserved = sum(placement.reserve_bytes for placement in placements)
    return (
        str(job.id),
        job.name,
        job.kind,
        str(job.state),
        gpus_text(placement.gpu.name for placement in placements),
        format_memory(reserved) if reserved else NONE,
        progress_text(job.progress).replace(" rows", ""),
        format_duration((now - job.created_at).total_seconds()),
        reason(job),
    )


def _times(job: JobView, now: datetime) -> str:
    end = job.finished_at or now
    if job.started_at is None:
        return f"waiting for {format_duration((end - job.created_at).total_seconds())}"
    waited = (job.started_at - job.created_at).total_seconds()
    ran = (end - job.started_at).total_seconds()
    text = f"waited {format_duration(waited)}, ran {format_duration(ran)}"
    first = job.progress.first_result_seconds
    return text if first is None else f"{text}, first result {format_duration(first)}"


def _replicas(job: JobView) -> list[tuple[str, str]]:
    lines = []
    for replica in job.replicas:
        warm = " (already loaded)" if replica.warm else ""
        detail = f"  {replica.detail}" if replica.detail else ""
        lines.append(
            f"{replica.replica} on {replica.gpu} {replica.state}{warm}{detail}"
        )
    return [("" if n else "REPLICAS", line) for n, line in enumerate(lines)]
