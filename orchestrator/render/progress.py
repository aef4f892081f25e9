"""How far a job is, in a few words."""

from __future__ import annotations

from orchestrator.client.parts import CommandView, Progress, TaskCounts
from orchestrator.client.views import JobView
from orchestrator.lifecycle.states import State
from orchestrator.render.words import counted
from orchestrator.units import format_count, format_duration

NONE = "-"


def job_progress(job: JobView) -> str:
    """Rows of a batch, tasks of an array, the exit of a command."""
    if job.tasks is not None:
        return tasks_text(job.tasks)
    if job.command is not None:
        return ended_text(job.command) or NONE
    return progress_text(job.progress)


def progress_text(progress: Progress) -> str:
    """`4,210/12,000 rows, 2 failed`, as far as it is known."""
    if progress.rows_total is None and not progress.rows_done:
        return NONE
    total = "?" if progress.rows_total is None else format_count(progress.rows_total)
    text = f"{format_count(progress.rows_done)}/{total} rows"
    if progress.rows_failed:
        text += f", {format_count(progress.rows_failed)} failed"
    return text


def rate_text(progress: Progress) -> str:
    """`46.8 rows/s, ETA 2m46s`, as far as it is known."""
    parts = [f"{progress.rows_per_second:.1f} rows/s"]
    if progress.eta_seconds is not None:
        parts.append(f"ETA {format_duration(progress.eta_seconds)}")
    return ", ".join(parts)


def tasks_text(tasks: TaskCounts) -> str:
    """`3/32 tasks, 4 running, 1 failed`."""
    parts = [f"{format_count(tasks.ended)}/{counted(tasks.total, 'task')}"]
    quiet = (State.PENDING, State.SUCCEEDED)
    parts += [
        f"{format_count(count)} {state.lower()}"
        for state, count in tasks.by_state.items()
        if state not in quiet
    ]
    return ", ".join(parts)


def ended_text(command: CommandView) -> str:
    """`exit 3`, `SIGKILL`, or nothing while it runs."""
    if command.signal:
        return command.signal
    return "" if command.exit_code is None else f"exit {command.exit_code}"


def place_text(command: CommandView) -> str:
    """`pid 71 on local`, as far as it is known."""
    process = f"pid {command.pid}" if command.pid else ""
    where = f"on {command.node}" if command.node else ""
    return " ".join(part for part in (process, where) if part)
