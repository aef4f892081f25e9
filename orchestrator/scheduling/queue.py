"""The order of jobs that wait for GPUs: by priority, then time, with EASY backfill.

The first job that does not fit now (the head) gets a shadow reservation: the earliest
time, and the GPUs, at which it can start as running jobs end. A job behind it starts
now only if it fits now and cannot delay that: it ends before that time, or it stays off
those GPUs. D. A. Lifka, "The ANL/IBM SP scheduling system", JSSPP 1995; A. W. Mu'alem,
D. G. Feitelson, "Utilization, predictability, workloads, and user runtime estimates in
scheduling the IBM SP2 with backfilling", IEEE TPDS 12 (2001).

Where nobody knows when a GPU is given back, the head may start at any moment: then
others have only GPUs that it can never use. A job that could not start even if all our
jobs ended (other programs hold the memory, a GPU is sick) makes nobody wait.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

from orchestrator.scheduling.plan import Demand, Diagnosis, Plan
from orchestrator.scheduling.policy import DEFAULT, Policy
from orchestrator.scheduling.queue_room import (
    after_jobs,
    after_leaving,
    after_plan,
    engines_of,
    gpus_of,
    kept_off,
)
from orchestrator.scheduling.schedule import schedule
from orchestrator.scheduling.snapshot import Snapshot, Uuid
from orchestrator.scheduling.waiting import Waits, in_order, order, reasons

K = TypeVar("K", bound=Hashable)
"""What a job is known by; its `str` is shown to people."""


@dataclass(frozen=True, slots=True)
class Waiting(Generic[K]):
    """A job that may start as soon as there is a place."""

    key: K
    demand: Demand
    priority: int = 0
    seq: int = 0
    """Order of submission."""
    holds_s: float | None = None
    """How long it will hold its GPUs at most; `None`: nobody knows."""


@dataclass(frozen=True, slots=True)
class Running(Generic[K]):
    """A job that holds GPUs, or is being given some."""

    key: K
    engines: frozenset[str]
    """Its engines, as `Reservation.engine` names them."""
    ends_at: float | None = None
    """When it gives them back at the latest, in POSIX seconds; `None`: unknown."""


@dataclass(frozen=True, slots=True)
class Shadow(Generic[K]):
    """What the head of the queue is promised."""

    key: K
    at: float | None
    """It starts then at the latest, in POSIX seconds; `None`: nobody knows."""
    gpus: frozenset[Uuid]
    """Kept for it then; if nobody knows when: all that it could use."""


@dataclass(frozen=True, slots=True)
class QueueDecision(Generic[K]):
    """Who starts, whom that must not delay, and why the others wait."""

    starts: tuple[tuple[K, Plan], ...]
    shadow: Shadow[K] | None
    held: Mapping[K, tuple[Waits, ...]]
    """For each job that was looked at and does not start: why not."""
    diagnoses: Mapping[K, Diagnosis]
    """For those that do not fit now: the scheduler's answer."""


def pick(
    waiting: Sequence[Waiting[K]],
    running: Sequence[Running[K]],
    snapshot: Snapshot,
    now: float,
    policy: Policy = DEFAULT,
    limit: int = 64,
) -> QueueDecision[K]:
    """Decide which jobs start now.

    Args:
        waiting: Those that may start: nothing but a place is missing. A window on the
            queue's front is enough; it is put in order here.
        running: All that hold GPUs, those included that are being started. Promises of
            nobody in this list are taken for engines that are ending.
        snapshot: The cluster.
        now: POSIX seconds; only differences and texts depend on it.
        policy: The constants of placement.
        limit: How many may start at most.
    """
    look = _Look(snapshot, now, policy, list(running))
    for position, job in enumerate(sorted(waiting, key=_place), start=1):
        if len(look.starts) >= limit:
            break
        look.at(job, position)
    return QueueDecision(tuple(look.starts), look.shadow, look.held, look.diagnoses)


def _place(job: Waiting[K]) -> tuple[int, int]:
    return (-job.priority, job.seq)


@dataclass(slots=True)
class _Look(Generic[K]):
    """One look at the queue, from its head on."""

    snapshot: Snapshot
    now: float
    policy: Policy
    running: list[Running[K]]
    starts: list[tuple[K, Plan]] = field(default_factory=list)
    shadow: Shadow[K] | None = None
    held: dict[K, tuple[Waits, ...]] = field(default_factory=dict)
    diagnoses: dict[K, Diagnosis] = field(default_factory=dict)
    fewest: dict[K, Demand] = field(default_factory=dict)
    """The least that a head starts with."""
    answers: dict[tuple[Demand, bool], Plan | Diagnosis] = field(default_factory=dict)
    """What was asked of the snapshot as it is now: tasks of an array ask alike."""

    def at(self, job: Waiting[K], position: int) -> None:
        answer = self._ask(job.demand)
        if isinstance(answer, Diagnosis):
            self._wait(job, answer, position)
            return
        plan = answer if self._passes(job) else self._ask(job.demand, aside=True)
        if isinstance(plan, Plan) and self._harmless(job, plan):
            self._start(job, plan)
        else:
            self.held[job.key] = (self._behind(position),)

    def _ask(self, demand: Demand, *, aside: bool = False) -> Plan | Diagnosis:
        asked = (demand, aside)
        if asked not in self.answers:
            snapshot = self.snapshot
            if aside and self.shadow is not None:
                snapshot = kept_off(snapshot, self.shadow.gpus)
            self.answers[asked] = schedule(demand, snapshot, self.policy)
        return self.answers[asked]

    def _passes(self, job: Waiting[K]) -> bool:
        """Whether it may use any GPU: nobody waits before it, or it ends in time."""
        if self.shadow is None:
            return True
        at, holds_s = self.shadow.at, job.holds_s
        return at is not None and holds_s is not None and self.now + holds_s <= at

    def _harmless(self, job: Waiting[K], plan: Plan) -> bool:
        """Whether it also leaves the head the CPU and RAM that it will need."""
        shadow = self.shadow
        if not plan.hosts or shadow is None or shadow.at is None or self._passes(job):
            return True
        then = after_plan(self._at(shadow.at), plan, str(job.key))
        return isinstance(schedule(self.fewest[shadow.key], then, self.policy), Plan)

    def _start(self, job: Waiting[K], plan: Plan) -> None:
        name = str(job.key)
        ends_at = None if job.holds_s is None else self.now + job.holds_s
        self.starts.append((job.key, plan))
        self.snapshot = after_plan(self.snapshot, plan, name)
        self.running.append(Running(job.key, engines_of(plan, name), ends_at))
        self.answers.clear()

    def _wait(self, job: Waiting[K], diagnosis: Diagnosis, position: int) -> None:
        self.diagnoses[job.key] = diagnosis
        waits = reasons(diagnosis, self._holders())
        if diagnosis.ever and self.shadow is not None:
            waits = (*waits, self._behind(position))
        elif diagnosis.ever:
            self.shadow = self._shadow_of(job)
        self.held[job.key] = in_order(waits)

    def _behind(self, position: int) -> Waits:
        assert self.shadow is not None
        return order(position, str(self.shadow.key), self.shadow.at)

    def _holders(self) -> dict[Uuid, tuple[str, float | None]]:
        owner = {engine: job for job in self.running for engine in job.engines}
        return {
            r.gpu: (str(owner[r.engine].key), owner[r.engine].ends_at)
            for r in self.snapshot.reservations
            if r.engine in owner
        }

    def _shadow_of(self, job: Waiting[K]) -> Shadow[K] | None:
        """The head's promise; `None` if it does not wait for any job of ours."""
        fewest = replace(job.demand, maximum=job.demand.minimum)
        self.fewest[job.key] = fewest
        for at in self._ends():
            plan = schedule(fewest, self._at(at), self.policy)
            if isinstance(plan, Plan):
                return Shadow(job.key, at, gpus_of([plan]))
        every = replace(job.demand, maximum=None)
        plan = schedule(every, self._empty(), self.policy)
        if isinstance(plan, Plan):
            return Shadow(job.key, None, gpus_of([plan]))
        return None

    def _ends(self) -> list[float]:
        """When GPUs are given back, as far as that is known, earliest first."""
        ends = (job.ends_at for job in self.running if job.ends_at is not None)
        return sorted({self.now, *(max(at, self.now) for at in ends)})

    def _at(self, at: float) -> Snapshot:
        """The cluster at a later time, as far as it is known."""
        over = [j for j in self.running if j.ends_at is not None and j.ends_at <= at]
        engines = self._ending().union(*(job.engines for job in over))
        return after_jobs(self.snapshot, engines, {str(job.key) for job in over})

    def _empty(self) -> Snapshot:
        """The cluster after all our jobs have ended."""
        busy = {r.engine for r in self.snapshot.reservations if not r.idle}
        return replace(after_leaving(self.snapshot, busy), hosts=())

    def _ending(self) -> set[str]:
        """Engines that work for nobody any more."""
        ours = {engine for job in self.running for engine in job.engines}
        busy = {r.engine for r in self.snapshot.reservations if not r.idle}
        return busy - ours
