"""The queue for GPUs: looks at its front, and has leased what the scheduler says."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from orchestrator.controller.active import ActiveJob
from orchestrator.controller.batch_work import BatchWork
from orchestrator.controller.core import Core
from orchestrator.controller.demands import POLICY, demand_of
from orchestrator.controller.lacking import nowhere
from orchestrator.controller.leasing import Leasing
from orchestrator.controller.loop import bug
from orchestrator.controller.queue import Pool
from orchestrator.engines.model_files import ModelFiles
from orchestrator.errors import Fault, OrchError
from orchestrator.lifecycle.events import (
    Event,
    GaveUp,
    NoPlace,
)
from orchestrator.lifecycle.key import JobKey
from orchestrator.lifecycle.states import State
from orchestrator.scheduling.plan import Demand
from orchestrator.scheduling.queue import QueueDecision, Running, Waiting, pick
from orchestrator.scheduling.snapshot import Gpu, Snapshot

WINDOW = 16
"""Jobs of the queue's front that are looked at: the first, and who may pass it."""

Perform = Callable[[ActiveJob, Event], None]
"""Gives an event to a job's machine and carries out what it says."""
GiveUp = Callable[[JobKey, tuple[Fault, ...]], None]
"""Ends what is no job to this version of the program."""


@dataclass(frozen=True, slots=True)
class _Looked:
    """What a look outside the loop's thread found.

    Attributes:
        gpus: The newest reports.
        files: Each job's model files, or why they cannot be had.
    """

    gpus: tuple[Gpu, ...]
    files: dict[JobKey, ModelFiles | Fault | None]


class Placer:
    """Looks at the queue's front. Lives on the loop's thread."""

    def __init__(self, core: Core, perform: Perform, give_up: GiveUp) -> None:
        self._core = core
        self._perform = perform
        self._give_up = give_up
        self._leasing = Leasing(core, perform)
        self._busy = 0
        """Looks and leases that are under way: one look at a time."""
        self._again = False

    def look(self) -> None:
        """Try to place the jobs at the front of the queue."""
        front = self._front()
        if self._busy or not front:
            self._again = self._again or bool(front)
            return
        self._busy, self._again = 1, False
        works = {
            job.key: job.work
            for job in front
            if isinstance(job.work, BatchWork) and not (job.looked and job.work.fixed)
        }
        seen = [
            (job.work, job.files)
            for job in front
            if isinstance(job.work, BatchWork) and job.key not in works
        ]
        self._core.loop.effect(
            lambda: self._look(works, seen),
            lambda looked: self._looked(front, looked),
            lambda _error: self._done(),
        )

    def _front(self) -> list[ActiveJob]:
        front = []
        for entry in self._core.queue.window(Pool.GPU, WINDOW):
            try:
                job = self._core.job(entry.key)
            except OrchError as error:
                self._core.queue.remove(entry.key)
                given_up = partial(self._give_up, entry.key, error.faults)
                self._core.loop.post(given_up)
                continue
            if job is not None:
                front.append(job)
        return front

    def _look(
        self,
        works: dict[JobKey, BatchWork],
        seen: list[tuple[BatchWork, ModelFiles | None]],
    ) -> _Looked:
        """In the pool: a hub may be slow, and GPUs answer over the network."""
        files: dict[JobKey, ModelFiles | Fault | None] = {}
        for key, work in works.items():
            try:
                files[key] = work.look()
            except OrchError as error:
                files[key] = error.fault
            except Exception as error:  # noqa: BLE001 - the others must not wait
                files[key] = bug(error)
        gpus = tuple(self._core.cluster.gpus())
        for key, found in files.items():
            if not isinstance(found, Fault):
                seen.append((works[key], found))
        self._reckon(seen, Snapshot(gpus))
        return _Looked(gpus, files)

    def _reckon(
        self, seen: list[tuple[BatchWork, ModelFiles | None]], snapshot: Snapshot
    ) -> None:
        """Reckon here what the loop's thread then finds kept: it takes a while."""
        for work, files in seen:
            # What cannot be reckoned is told to the job when it is asked for.
            with suppress(Exception):
                demand_of(self._core.store, work, files, snapshot)

    def _done(self) -> None:
        """A look or a lease has ended; the next tick looks if nothing else does."""
        self._busy -= 1
        if not self._busy and self._again:
            self.look()

    def _leased(self) -> None:
        """The next look finds what is left, or what was refused."""
        self._again = True
        self._done()

    def _looked(self, front: list[ActiveJob], looked: _Looked) -> None:
        try:
            self._decide(front, looked)
        finally:
            self._done()

    def _decide(self, front: list[ActiveJob], looked: _Looked) -> None:
        self._core.gpus = looked.gpus
        snapshot = self._core.fleet.snapshot(looked.gpus)
        waiting = []
        for job in front:
            found = looked.files.get(job.key)
            if job.machine.state is not State.PENDING or self._still_leaves(job):
                continue
            if isinstance(found, Fault):
                self._perform(job, GaveUp(found))
                continue
            if job.key in looked.files:
                job.files, job.looked = found, True
            demand = self._demand(job, snapshot)
            if demand is not None:
                waiting.append(_waiting(job, demand))
        decision = pick(waiting, self._running(), snapshot, _epoch(), POLICY)
        self._carry_out(front, decision)

    def _still_leaves(self, job: ActiveJob) -> bool:
        """Whether GPUs that ran out of memory under it are about to be free again.

        Without waiting for them it would be given fewer than it had.
        """
        engines = self._core.fleet.engines.values()
        own = f"orch:job-{job.key}:"
        return job.machine.raises > 0 and any(
            engine.leaving and engine.name.startswith(own) for engine in engines
        )

    def _carry_out(
        self, front: list[ActiveJob], decision: QueueDecision[JobKey]
    ) -> None:
        jobs = {job.key: job for job in front}
        for key, plan in decision.starts:
            self._busy += 1
            self._leasing.lease(jobs[key], plan, self._leased)
        for key, waits in decision.held.items():
            job, diagnosis = jobs[key], decision.diagnoses.get(key)
            if diagnosis is not None and (lack := nowhere(job, diagnosis)):
                self._perform(job, GaveUp(lack))
                continue
            if (job.waits, job.diagnosis) == (waits, diagnosis):
                continue
            known = [why.tier for why in job.waits]
            job.waits, job.diagnosis = waits, diagnosis
            if [why.tier for why in waits] != known:
                self._perform(job, NoPlace("; ".join(why.text for why in waits)))
            else:
                self._core.changed(job)

    def _demand(self, job: ActiveJob, snapshot: Snapshot) -> Demand | None:
        """What the job asks for; it is given up if that cannot be said."""
        assert isinstance(job.work, BatchWork)
        try:
            return demand_of(self._core.store, job.work, job.files, snapshot)
        except OrchError as error:
            # It was accepted, but its files or the cluster have changed since.
            self._perform(job, GaveUp(error.fault))
        except Exception as error:  # noqa: BLE001 - the jobs behind it must not wait
            self._perform(job, GaveUp(bug(error)))
        return None

    def _running(self) -> list[Running[JobKey]]:
        fleet = self._core.fleet
        holders = {engine.job for engine in fleet.engines.values() if engine.job}
        return [
            Running(
                key,
                frozenset(engine.name for engine in fleet.of_job(key)),
                _ends_at(self._core.jobs.get(key)),
            )
            for key in sorted(holders)
        ]


def _waiting(job: ActiveJob, demand: Demand) -> Waiting[JobKey]:
    row = job.row
    limit_s = job.job.timeout.run
    # Without a limit on its run nobody knows how long it will hold its GPUs.
    holds_s = None if limit_s is None else limit_s + job.job.grace
    return Waiting(job.key, demand, row.priority, row.seq, holds_s)


def _ends_at(job: ActiveJob | None) -> float | None:
    """When a job gives its GPUs back, in POSIX seconds: its limit, or its progress."""
    if job is None:
        return None
    ends = []
    limit_s = job.job.timeout.run
    if limit_s is not None and job.started_at is not None:
        began = datetime.fromisoformat(job.started_at).timestamp()
        ends.append(began + limit_s + job.job.grace)
    if job.runner.eta_seconds is not None:
        ends.append(_epoch() + job.runner.eta_seconds)
    return min(ends, default=None)


def _epoch() -> float:
    return datetime.now(UTC).timestamp()
