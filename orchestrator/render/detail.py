"""One job in detail."""

from __future__ import annotations

from datetime import datetime

from orchestrator.client.parts import AttemptView
from orchestrator.client.views import JobView
from orchestrator.render.jobs import reason
from orchestrator.render.paths import short_path
from orchestrator.render.progress import job_progress
from orchestrator.render.table import pairs
from orchestrator.render.waiting import waiting_lines
from orchestrator.units import format_duration, format_memory

Items = list[tuple[str, str]]


def job_detail(job: JobView, now: datetime) -> list[str]:
    """All that is known of one job, but its diagnosis and its faults."""
    items: Items = [
        ("JOB", f"{job.key} '{job.name}' ({job.kind})"),
        ("STATE", f"{job.state}  {reason(job)}".rstrip()),
        *_what(job),
        ("PROGRESS", job_progress(job)),
        ("TIME", _times(job, now)),
        *_queue(job),
        *waiting_lines(job),
        *_attempts(job),
        *_replicas(job),
        *_ends(job),
    ]
    items += [("NOTICE", notice) for notice in job.notices]
    return pairs(items)


def attempt_text(attempt: AttemptView) -> str:
    """`2 LOST after 4m21s: node gone`."""
    text = f"{attempt.attempt} {attempt.state}"
    if attempt.started_at is not None and attempt.finished_at is not None:
        seconds = (attempt.finished_at - attempt.started_at).total_seconds()
        text += f" after {format_duration(seconds)}"
    why = attempt.text or attempt.cause.replace("_", " ")
    return f"{text}: {why}" if why else text


def _what(job: JobView) -> Items:
    if job.command is None:
        return [("MODEL", job.model)] if job.model else []
    lines = job.command.run.strip().splitlines() or [""]
    where = f"   (on {job.command.node})" if job.command.node else ""
    return [("COMMAND", lines[0] + where), *(("", line) for line in lines[1:])]


def _times(job: JobView, now: datetime) -> str:
    end = job.finished_at or now
    if job.started_at is None:
        waits = "waited" if job.state.final else "waiting for"
        return f"{waits} {format_duration((end - job.created_at).total_seconds())}"
    waited = (job.started_at - job.created_at).total_seconds()
    ran = (end - job.started_at).total_seconds()
    text = f"waited {format_duration(waited)}, ran {format_duration(ran)}"
    first = job.progress.first_result_seconds
    return text if first is None else f"{text}, first result {format_duration(first)}"


def _queue(job: JobView) -> Items:
    items: Items = []
    if job.priority:
        items.append(("PRIORITY", str(job.priority)))
    if job.after:
        items.append(
            ("AFTER", ", ".join(f"{job_id}:{when}" for job_id, when in job.after))
        )
    if job.not_before is not None and not job.state.final:
        items.append(("NOT BEFORE", job.not_before.astimezone().strftime("%H:%M:%S")))
    return items


def _attempts(job: JobView) -> Items:
    texts = [attempt_text(attempt) for attempt in job.attempts]
    if texts:
        texts.append(f"{job.attempt} {job.state}")
    return [("" if n else "ATTEMPTS", text) for n, text in enumerate(texts)]


def _replicas(job: JobView) -> Items:
    lines = []
    for replica in job.replicas:
        warm = " (already loaded)" if replica.warm else ""
        detail = f"  {replica.detail}" if replica.detail else ""
        lines.append(
            f"{replica.replica} on {replica.gpu} {replica.state}{warm}{detail}"
        )
    return [("" if n else "REPLICAS", line) for n, line in enumerate(lines)]


def _ends(job: JobView) -> Items:
    items: Items = []
    if job.returned:
        items.append(("RETURNED", returned_text(job)))
    if job.output:
        items.append(("OUTPUT", short_path(job.output)))
    if job.results:
        items.append(("RESULTS", short_path(job.results)))
    if job.logs:
        items.append(("LOGS", short_path(job.logs)))
    return items


def returned_text(job: JobView) -> str:
    """`local:0 23.1 GiB free, local:1 22.8 GiB free`."""
    return ", ".join(
        f"{item.gpu} {format_memory(item.free_bytes)} free" for item in job.returned
    )
