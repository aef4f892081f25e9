"""A job's life as it is told while somebody watches: one line for each thing new."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from orchestrator.client.views import JobView
from orchestrator.lifecycle.states import ReplicaState, State
from orchestrator.render.detail import attempt_text
from orchestrator.render.jobs import gpus_text
from orchestrator.render.plan import diagnosis_lines, plan_table
from orchestrator.render.progress import tasks_text
from orchestrator.render.waiting import waits_for
from orchestrator.render.words import clock, counted
from orchestrator.units import format_duration

EVERY = timedelta(seconds=10)
"""How often a running job is mentioned where no bar can move."""


class Story:
    """Turns successive views of one job into the lines that are new.

    Args:
        began: When the watching began.
        regular: Also say how far it is every ten seconds.
    """

    def __init__(self, began: datetime, *, regular: bool) -> None:
        self._regular = regular
        self._last = began
        self._said: dict[str, object] = {}
        self._notices: set[str] = set()

    def lines(self, job: JobView, now: datetime) -> list[str]:
        """What is new about the job at `now`."""
        stamp = f"{clock(now)} {job.label.lower()}"
        lines = [*self._plan(job)]
        lines += [f"{stamp} notice: {notice}" for notice in self._new_notices(job)]
        for tell in (_waiting, _retrying, _loading, _ready, _first_result, _merging):
            lines += self._once(tell, job, stamp)
        if lines:
            self._last = now
        elif self._due(job, now):
            self._last = now
            lines.append(f"{stamp} {running_text(job)}")
        return lines

    def _plan(self, job: JobView) -> list[str]:
        if job.plan is None or not self._is_new("plan", job.plan.placements):
            return []
        return plan_table(job.plan, job.model)

    def _new_notices(self, job: JobView) -> tuple[str, ...]:
        new = tuple(text for text in job.notices if text not in self._notices)
        self._notices.update(new)
        return new

    def _once(self, tell: Tell, job: JobView, stamp: str) -> list[str]:
        told = tell(job)
        if told is None:
            return []
        key, lines = told
        if not self._is_new(tell.__name__, key):
            return []
        return [f"{stamp} {lines[0]}", *(f"  {line}" for line in lines[1:])]

    def _is_new(self, what: str, key: object) -> bool:
        new = self._said.get(what) != key
        self._said[what] = key
        return new

    def _due(self, job: JobView, now: datetime) -> bool:
        return self._regular and not job.state.final and now - self._last >= EVERY


Tell = Callable[[JobView], tuple[object, list[str]] | None]
"""What to say of a job, and the key that is new when it must be said again."""


def running_text(job: JobView) -> str:
    """`running 4210/12000 rows 46.8 rows/s failed=2 ETA 2m46s`."""
    if job.tasks is not None:
        return f"{job.state.lower()} {tasks_text(job.tasks)}"
    if job.state is State.PENDING:
        return f"waiting: {waits_for(job)}"
    if job.command is not None:
        return job.state.lower()
    progress = job.progress
    total = "?" if progress.rows_total is None else progress.rows_total
    parts = [
        progress.phase,
        f"{progress.rows_done}/{total} rows",
        f"{progress.rows_per_second:.1f} rows/s",
        f"failed={progress.rows_failed}",
    ]
    if progress.eta_seconds is not None:
        parts.append(f"ETA {format_duration(progress.eta_seconds)}")
    return " ".join(parts)


def _waiting(job: JobView) -> tuple[object, list[str]] | None:
    if job.state is not State.PENDING or job.tasks is not None:
        return None
    if job.diagnosis is None:
        return _queued(job)
    # Free memory differs a little at every look: only who refuses, and why, counts.
    key = tuple((r.gpu.name, r.reason) for r in job.diagnosis.refusals)
    return key, ["waiting for GPUs", *diagnosis_lines(job.diagnosis)]


def _queued(job: JobView) -> tuple[object, list[str]] | None:
    tier = job.waiting[0].tier if job.waiting else "evaluating"
    # Most jobs are looked at and started at once: that is not waiting.
    if tier == "evaluating":
        return None
    return (tier, job.waiting[0].text), [f"waiting: {waits_for(job)}"]


def _retrying(job: JobView) -> tuple[object, list[str]] | None:
    if not job.attempts:
        return None
    ended = job.attempts[-1]
    return ended.attempt, [f"attempt {attempt_text(ended)}; attempt {job.attempt} next"]


def _loading(job: JobView) -> tuple[object, list[str]] | None:
    if job.state is not State.LOADING or not job.replicas:
        return None
    gpus = gpus_text(replica.gpu for replica in job.replicas)
    return True, [f"loading {counted(len(job.replicas), 'replica')} on {gpus}"]


def _ready(job: JobView) -> tuple[object, list[str]] | None:
    ready = sum(replica.state is ReplicaState.READY for replica in job.replicas)
    if not ready or job.state not in (State.LOADING, State.RUNNING):
        return None
    return ready, [f"ready {ready}/{counted(len(job.replicas), 'replica')}"]


def _first_result(job: JobView) -> tuple[object, list[str]] | None:
    seconds = job.progress.first_result_seconds
    if seconds is None:
        return None
    return True, [f"first result after {format_duration(seconds)}"]


def _merging(job: JobView) -> tuple[object, list[str]] | None:
    if job.progress.phase != "merging":
        return None
    return True, [f"merging {counted(job.progress.rows_done, 'row')} in input order"]
