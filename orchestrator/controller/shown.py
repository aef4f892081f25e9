"""What the API shows of jobs, queue, stories and use. From API threads."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from orchestrator.controller.asked import Listing
from orchestrator.controller.commands import attempt_folder
from orchestrator.controller.core import Core
from orchestrator.controller.store import EventRow, JobRow, Usage
from orchestrator.controller.views import stored_view, waiting_json
from orchestrator.errors import Code, OrchError
from orchestrator.lifecycle.key import JobKey
from orchestrator.lifecycle.states import State
from orchestrator.scheduling.waiting import (
    EVALUATING,
    Waits,
    dependency,
    limit,
    not_before,
    order,
)

_STEPS = {State.PENDING: 0, State.LOADING: 1, State.RUNNING: 2, State.STOPPING: 3}
_LAST_STEP = 4
"""How far a task is; what counts is that it grows."""


class Shown:
    """Reads the store, and asks the loop about jobs that wait."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def job(self, key: JobKey) -> dict[str, Any]:
        """One job, array or task as JSON.

        Raises:
            OrchError: E301, there is none.
        """
        return self._views([self._row(key)])[0]

    def jobs(self, asked: Listing) -> dict[str, Any]:
        """Whole jobs, and how many there are in each state."""
        store = self._core.store
        rows = store.jobs(
            asked.states,
            asked.limit,
            kind=asked.kind,
            prefix=asked.prefix,
            newest=asked.newest,
        )
        counts = {str(state): n for state, n in store.counts().items()}
        return {"jobs": self._views(rows), "counts": counts}

    def tasks(self, number: int, asked: Listing, offset: int) -> dict[str, Any]:
        """Tasks of an array, by index."""
        store = self._core.store
        rows = store.tasks(
            number, states=asked.states, limit=asked.limit, offset=offset
        )
        counts = {str(state): n for state, n in store.task_counts(number).items()}
        return {"jobs": self._views(rows), "counts": counts}

    def story(self, key: JobKey) -> list[dict[str, Any]]:
        """What happened to a job, oldest first.

        Raises:
            OrchError: E301, there is no such job.
        """
        self._row(key)
        return [_event_json(row) for row in self._core.store.events(key)]

    def usage(self, since: str) -> list[dict[str, Any]]:
        """The GPUs that jobs held, those they hold yet included."""
        return [_usage_json(use) for use in self._core.store.usage(since)]

    # --- inside -----------------------------------------------------------------------

    def _row(self, key: JobKey) -> JobRow:
        row = self._core.store.job(key)
        if row is None:
            raise OrchError.of(
                Code.NO_SUCH_JOB, f"there is no job {key}", fix="orch status -a"
            )
        return row

    def _views(self, rows: Sequence[JobRow]) -> list[dict[str, Any]]:
        waiting = [row for row in rows if row.state is State.PENDING]
        told = self._core.loop.ask(lambda: self._waits(waiting)) if waiting else {}
        wholes: dict[int, dict[str, Any]] = {}
        views = []
        for row in rows:
            view = self._core.shown(row.key)
            if view is None:
                newest = self._newest(row, waits=row.key in told)
                view = stored_view(newest, self._whole(row, wholes))
            view = {**view, **self._counted(row), "logs": self._logs(row)}
            if view["state"] == State.PENDING:
                view |= told.get(row.key, {})
            views.append(view)
        return views

    def _logs(self, row: JobRow) -> str:
        """Where the newest attempt's logs are, on the node that it runs on."""
        if row.tasks or row.started_at is None:
            return ""
        return str(self._core.state / attempt_folder(row.key, row.attempt))

    def _newest(self, row: JobRow, *, waits: bool) -> JobRow:
        """A row as it is now: the job may have ended since it was read."""
        if waits or row.state.final or row.tasks:
            return row
        return self._core.store.job(row.key) or row

    def _whole(self, row: JobRow, known: dict[int, dict[str, Any]]) -> dict[str, Any]:
        """The stored view of a task's array."""
        number = row.key.number
        if row.key.is_task and number not in known:
            whole = self._core.store.job(row.key.whole)
            known[number] = whole.view if whole is not None else {}
        return known.get(number, {})

    def _counted(self, row: JobRow) -> dict[str, Any]:
        if not row.tasks:
            return {}
        counts = self._core.store.task_counts(row.key.number)
        by_state = {str(state): n for state, n in counts.items()}
        # What its tasks do changes an array, too.
        steps = sum(_STEPS.get(state, _LAST_STEP) * n for state, n in counts.items())
        return {
            "tasks": {"total": row.tasks, **by_state},
            "version": row.view.get("version", 0) + steps,
        }

    def _waits(self, rows: Sequence[JobRow]) -> dict[JobKey, dict[str, Any]]:
        """On the loop's thread: the place in the queue, and what holds a job."""
        told = {}
        for row in rows:
            # Of an array that waits no task has begun: the first stands for it.
            key = JobKey(row.key.number, 0) if row.tasks else row.key
            if key in self._core.queue or key in self._core.jobs:
                told[row.key] = {
                    "position": self._core.queue.position(key),
                    "waiting": waiting_json(self._reasons(key)),
                }
        return told

    def _reasons(self, key: JobKey) -> list[Waits]:
        queue, job = self._core.queue, self._core.jobs.get(key)
        reasons = [
            dependency(str(number), when, str(self._core.state_of(JobKey(number))))
            for number, when in queue.open_after(key).items()
        ]
        if job is not None and job.not_before:
            at = datetime.fromisoformat(job.not_before).timestamp()
            reasons.append(not_before(at, job.machine.attempt))
        if most := queue.held_by_limit(key):
            reasons.append(limit(str(key.whole), most, most))
        if job is not None:
            reasons += job.waits
        position, first = queue.position(key), queue.first(key)
        if not reasons and position is not None and position > 1:
            reasons.append(order(position, str(first)))
        return reasons or [EVALUATING]


def _event_json(row: EventRow) -> dict[str, Any]:
    event = row.event
    return {
        "at": row.at,
        "event": event.get("event", ""),
        "state": str(row.state),
        "cause": event.get("data", {}).get("cause") or "",
        "text": event.get("text", ""),
        "data": event.get("data", {}),
        "does": list(row.does),
    }


def _usage_json(use: Usage) -> dict[str, Any]:
    end = datetime.fromisoformat(use.finished_at) if use.finished_at else None
    held = (end or datetime.now(UTC)) - datetime.fromisoformat(use.started_at)
    return {
        "id": use.key.number,
        "task": use.key.task if use.key.is_task else None,
        "name": use.name,
        "kind": use.kind,
        "model": use.model,
        "user": use.user,
        "gpu": use.gpu_name,
        "gpu_model": use.gpu_model,
        "started_at": use.started_at,
        "finished_at": use.finished_at,
        "gpu_seconds": held.total_seconds(),
    }
