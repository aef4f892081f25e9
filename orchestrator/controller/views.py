"""A job as the API shows it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from orchestrator.controller.active import ActiveJob
from orchestrator.controller.batch_work import BatchWork
from orchestrator.controller.command_work import CommandWork
from orchestrator.controller.requests import Request, Work
from orchestrator.controller.store import AttemptRow, JobRow
from orchestrator.lifecycle.states import ReplicaState, State
from orchestrator.scheduling.waiting import Waits

PRIVATE = ("machine", "nodes", "run", "told")
"""Keys of a stored view that are the controller's own business."""


def job_view(job: ActiveJob) -> dict[str, Any]:
    """The job as JSON."""
    machine = job.machine
    return {
        **_header(job.row, job.work),
        "state": str(machine.state),
        "version": job.version,
        "attempt": machine.attempt,
        "cause": str(machine.why or "") if machine.state.final else "",
        "not_before": job.not_before,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
        "plan": job.plan.to_json() if job.plan else None,
        "diagnosis": job.diagnosis.to_json() if job.diagnosis else None,
        "waiting": waiting_json(job.waits) if machine.state is State.PENDING else [],
        "progress": _progress(job),
        "replicas": [_replica(job, r, s) for r, s in machine.replicas.items()],
        "runner": {"name": job.runner_name, "pid": job.runner.pid},
        "command": _command(job),
        "results": job.runner.results,
        "faults": [fault.to_json() for fault in machine.faults],
        "notices": [*job.notices, *job.runner.notices],
        "attempts": [attempt_json(attempt) for attempt in job.attempts],
        "returned": [{"gpu": gpu, "free_bytes": n} for gpu, n in job.returned],
        "machine": machine.to_json(),
        "nodes": [[*rank, node] for rank, node in job.nodes.items()],
        "run": job.run,
        # Without the runner's: one that outlives this controller says them again.
        "told": list(job.notices),
    }


def accepted_view(row: JobRow, request: Request, work: Work) -> dict[str, Any]:
    """A job as it is accepted; of an array this stays, but for state and counts."""
    return {
        **_header(row, work),
        "attempt": 1,
        "output": request.output().replace("{id}", str(row.key.number)),
        "tasks": {"total": row.tasks} if row.tasks else None,
        "notices": [],
    }


def stored_view(row: JobRow, whole: Mapping[str, Any]) -> dict[str, Any]:
    """A job that is not in hand, from what is stored of it.

    Args:
        row: The job, or a task.
        whole: The view of the array that a task belongs to; a task that never ran
            has none of its own.
    """
    view = {**_EMPTY, **(row.view or _of_task(row, whole))}
    columns = {
        "id": row.key.number,
        "task": row.key.task if row.key.is_task else None,
        "key": str(row.key),
        "name": row.name,
        "kind": row.kind,
        "state": str(row.state),
        "priority": row.priority,
        "attempt": row.attempt,
        "cause": row.cause if row.state.final else "",
        "output": row.output,
        "not_before": row.not_before,
        "created_at": row.created_at,
        "started_at": row.started_at,
        "finished_at": row.finished_at,
        "after": list(row.after),
    }
    return {k: v for k, v in {**view, **columns}.items() if k not in PRIVATE}


def public(view: Mapping[str, Any]) -> dict[str, Any]:
    """A view without what is the controller's own business."""
    return {key: value for key, value in view.items() if key not in PRIVATE}


def waiting_json(waits: Iterable[Waits]) -> list[dict[str, Any]]:
    """Why a job waits, reason by reason."""
    return [why.to_json() for why in waits]


def attempt_json(row: AttemptRow) -> dict[str, Any]:
    """An attempt that is over."""
    return {
        "attempt": row.attempt,
        "state": str(row.state),
        "cause": row.cause,
        "started_at": row.started_at,
        "finished_at": row.finished_at,
        "text": row.text,
    }


_PROGRESS: dict[str, Any] = {
    "phase": "queued",
    "rows_total": None,
    "rows_done": 0,
    "rows_failed": 0,
    "rows_reused": 0,
    "rows_per_second": 0.0,
    "eta_seconds": None,
    "first_result_seconds": None,
}

_EMPTY: dict[str, Any] = {
    "version": 0,
    "model": "",
    "plan": None,
    "diagnosis": None,
    "waiting": [],
    "position": None,
    "tasks": None,
    "progress": _PROGRESS,
    "replicas": [],
    "runner": {"name": "", "pid": 0},
    "command": None,
    "results": None,
    "faults": [],
    "notices": [],
    "attempts": [],
    "returned": [],
}


def _of_task(row: JobRow, whole: Mapping[str, Any]) -> dict[str, Any]:
    """What a task that has not run yet has in common with its array."""
    if not row.key.is_task:
        return {}
    return {key: whole[key] for key in ("model", "command") if key in whole}


def _header(row: JobRow, work: Work) -> dict[str, Any]:
    return {
        "id": row.key.number,
        "task": row.key.task if row.key.is_task else None,
        "key": str(row.key),
        "name": row.name,
        "kind": row.kind,
        "model": work.model_label if isinstance(work, BatchWork) else "",
        "priority": row.priority,
        "after": list(row.after),
        "created_at": row.created_at,
        "output": row.output,
        "position": None,
        "tasks": None,
        "command": (
            {**_COMMAND, "run": work.text} if isinstance(work, CommandWork) else None
        ),
    }


_COMMAND: dict[str, Any] = {
    "run": "",
    "exit_code": None,
    "signal": None,
    "pid": 0,
    "node": "",
}


def _command(job: ActiveJob) -> dict[str, Any] | None:
    if not isinstance(job.work, CommandWork):
        return None
    return {
        "run": job.work.text,
        "exit_code": job.command.exit_code,
        "signal": job.command.signal,
        "pid": job.command.pid,
        "node": job.command.node,
    }


def _progress(job: ActiveJob) -> dict[str, Any]:
    runner = job.runner
    return {
        "phase": _phase(job),
        "rows_total": runner.rows_total,
        "rows_done": runner.rows_done,
        "rows_failed": runner.rows_failed,
        "rows_reused": runner.rows_reused,
        "rows_per_second": runner.rows_per_second,
        "eta_seconds": runner.eta_seconds,
        "first_result_seconds": runner.first_result_seconds,
    }


def _phase(job: ActiveJob) -> str:
    state = job.machine.state
    if state.final:
        return "done"
    if state is State.PENDING:
        return "queued"
    if state is State.LOADING:
        return "loading"
    return "merging" if job.runner.phase == "merging" else "running"


def _replica(job: ActiveJob, replica: int, state: ReplicaState) -> dict[str, Any]:
    assert job.plan is not None
    placement = job.plan.placements[replica]
    return {
        "replica": replica,
        "gpu": placement.gpu.name,
        "state": str(state),
        "warm": bool(placement.warm),
        "detail": job.details.get(replica, ""),
        "pid": job.pids.get(replica, 0),
    }
