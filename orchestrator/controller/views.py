"""A job as the API shows it: built from its machine, its plan and its runner."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from orchestrator.controller.store import JobRow
from orchestrator.controller.work import Work
from orchestrator.errors import Fault
from orchestrator.lifecycle.machine import JobMachine
from orchestrator.lifecycle.states import ReplicaState, State
from orchestrator.runtime.progress import RunnerView
from orchestrator.scheduling.plan import Diagnosis, Plan


@dataclass(slots=True)
class ActiveJob:
    """A job that is not over, as the controller's loop holds it.

    Attributes:
        row: As it was stored.
        work: What is to be done.
        machine: Its life so far.
        plan: Where it runs, once it has a place.
        diagnosis: Why it waits, while it does.
        runner: The runner's newest word.
        runner_name: Its name in Ray; a new one after each death.
        names: Replica number -> name of its engine.
        details: Replica number -> a clause for people.
        pids: Replica number -> process of its engine.
        notices: What people should know, oldest first.
        version: Grows with every change.
    """

    row: JobRow
    work: Work
    machine: JobMachine = field(default_factory=JobMachine)
    plan: Plan | None = None
    diagnosis: Diagnosis | None = None
    runner: RunnerView = field(default_factory=RunnerView)
    runner_name: str = ""
    names: dict[int, str] = field(default_factory=dict)
    details: dict[int, str] = field(default_factory=dict)
    pids: dict[int, int] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)
    version: int = 0
    started_at: str | None = None
    finished_at: str | None = None
    view: dict[str, Any] = field(default_factory=dict)
    """What the API shows; replaced whole at every change."""
    stopping: bool | None = None
    """Somebody wants it stopped, by force or not, perhaps before it has a runner."""

    @property
    def id(self) -> int:
        """The job's number."""
        return self.row.id


def job_view(job: ActiveJob) -> dict[str, Any]:
    """The job as JSON."""
    return {
        "id": job.id,
        "name": job.row.name,
        "kind": job.work.job.kind,
        "state": str(job.machine.state),
        "version": job.version,
        "model": job.work.model_label,
        "created_at": job.row.created_at,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
        "plan": job.plan.to_json() if job.plan else None,
        "diagnosis": job.diagnosis.to_json() if job.diagnosis else None,
        "progress": _progress(job),
        "replicas": [_replica(job, r, s) for r, s in job.machine.replicas.items()],
        "runner": {"name": job.runner_name, "pid": job.runner.pid},
        "output": job.row.output,
        "results": job.runner.results,
        "faults": [fault.to_json() for fault in _faults(job)],
        "notices": [*job.notices, *job.runner.notices],
    }


def _faults(job: ActiveJob) -> tuple[Fault, ...]:
    return job.machine.faults if job.machine.state is State.FAILED else ()


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
