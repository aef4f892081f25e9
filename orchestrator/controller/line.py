"""How a job gets into the queue, from what is stored of it or from a job in hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.controller.active import ActiveJob
from orchestrator.controller.command_work import CommandWork
from orchestrator.controller.core import Core
from orchestrator.controller.queue import Entry, Pool
from orchestrator.controller.requests import Work
from orchestrator.controller.store import QueuedRow
from orchestrator.lifecycle.key import JobKey
from orchestrator.lifecycle.states import State
from orchestrator.spec.job import Job, When


def needs_of(work: Work) -> dict[str, Any]:
    """What the queue must know of a job, as it is stored beside it."""
    queue_s = work.job.timeout.queue
    if isinstance(work, CommandWork):
        wanted = work.needs
        return {
            "pool": Pool.CPU,
            "cpus": wanted.cpus,
            "memory": wanted.memory_bytes,
            "queue_s": queue_s,
        }
    return {"pool": Pool.GPU, "queue_s": queue_s}


def after_of(job: Job) -> tuple[dict[str, Any], ...]:
    """The jobs that must end before, as they are stored."""
    return tuple({"job": one.job, "when": one.when} for one in job.after)


class Line:
    """Puts jobs into the queue."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def add(self, job: ActiveJob) -> None:
        """A job in hand waits for its place."""
        row, needs = job.row, needs_of(job.work)
        limit = _limit(row.max_parallel, job.key)
        self._core.queue.add(_entry(job.key, row.priority, row.seq, needs, limit))

    def runs(self, job: ActiveJob) -> None:
        """A job in hand has its place already."""
        if limit := _limit(job.row.max_parallel, job.key):
            self._core.queue.runs(job.key, limit)

    def add_stored(
        self, row: QueuedRow, after: Sequence[Mapping[str, Any]]
    ) -> tuple[int, State] | None:
        """A job that is only in the store waits for its place.

        Returns:
            A job it was to come after that has ended otherwise than it asks; `None`
            if there is none.
        """
        limit = _limit(row.max_parallel, row.key)
        entry = _entry(row.key, row.priority, row.seq, row.needs, limit)
        waits = {int(one["job"]): When(one["when"]) for one in after}
        ended: list[int] = []
        wrong: tuple[int, State] | None = None
        for number, when in waits.items():
            state = self._core.state_of(JobKey(number))
            if state is not None and state.final:
                ended.append(number)
                if not when.allows(str(state)):
                    wrong = (number, state)
        self._core.queue.add(entry.waiting_for(waits), ended)
        return wrong


def _limit(max_parallel: int | None, key: JobKey) -> int:
    return (max_parallel or 0) if key.is_task else 0


def _entry(
    key: JobKey, priority: int, seq: int, needs: Mapping[str, Any], limit: int
) -> Entry:
    return Entry(
        key=key,
        priority=priority,
        seq=seq,
        pool=Pool(needs.get("pool", Pool.GPU)),
        cpus=needs.get("cpus", 1.0),
        memory_bytes=needs.get("memory", 0),
        limit=limit,
    )
