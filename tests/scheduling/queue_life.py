"""A cluster that lives: jobs arrive, start as `pick` says, and end. No clock, no wait.

After every decision the promises of the queue are checked.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from orchestrator.scheduling.plan import Demand, Plan
from orchestrator.scheduling.policy import DEFAULT
from orchestrator.scheduling.queue import QueueDecision, Running, Waiting, pick
from orchestrator.scheduling.queue_room import (
    after_leaving,
    after_plan,
    engines_of,
    kept_off,
)
from orchestrator.scheduling.schedule import schedule
from orchestrator.scheduling.snapshot import Snapshot, Uuid
from orchestrator.scheduling.waiting import Tier


@dataclass(frozen=True)
class Load:
    """A job to come."""

    arrives: int
    demand: Demand
    runs: int
    """How long it really holds its GPUs."""
    bound: int | None
    """What it is said to hold them at most; never less than `runs`."""
    priority: int = 0


@dataclass
class Life:
    """The cluster and its queue."""

    cluster: Snapshot
    loads: list[Load]
    leaves: int | None = None
    """When other programs give their memory back."""
    limit: int = 64
    now: int = -1
    waiting: dict[int, Waiting[int]] = field(default_factory=dict)
    plans: dict[int, Plan] = field(default_factory=dict)
    ends: dict[int, int] = field(default_factory=dict)
    bounds: dict[int, int | None] = field(default_factory=dict)
    started: dict[int, int] = field(default_factory=dict)
    promised: dict[int, float] = field(default_factory=dict)
    """For the jobs that are or were the head: when they start at the latest."""

    def run(self) -> None:
        while (now := self._next()) is not None:
            self.now = now
            self._events()
            while self._decide():
                pass
            for key, at in self.promised.items():
                assert key in self.started or at > now, f"{key} is late: {at}, {now}"
        starved = set(self.waiting) - self._never()
        assert not starved, f"{starved} starve"

    def _next(self) -> int | None:
        arrivals = [load.arrives for load in self.loads if load.arrives > self.now]
        leaves = [] if self.leaves is None else [self.leaves]
        return min([*arrivals, *self.ends.values(), *leaves], default=None)

    def _events(self) -> None:
        for key in [key for key, at in self.ends.items() if at <= self.now]:
            del self.ends[key], self.plans[key], self.bounds[key]
        if self.now == self.leaves:
            self.cluster, self.leaves = _well(self.cluster), None
        for key, load in enumerate(self.loads):
            if load.arrives == self.now:
                seq = load.arrives * len(self.loads) + key
                self.waiting[key] = Waiting(
                    key, load.demand, load.priority, seq, load.bound
                )

    def snapshot(self) -> Snapshot:
        """What is held now; a job's memory shows one step after its start."""
        snapshot = self.cluster
        for key, plan in self.plans.items():
            snapshot = after_plan(snapshot, plan, str(key))
            if self.started[key] < self.now:
                snapshot = _shown(snapshot, engines_of(plan, str(key)))
        return snapshot

    def _decide(self) -> bool:
        snapshot = self.snapshot()
        running = [
            Running(key, engines_of(plan, str(key)), self.bounds[key])
            for key, plan in self.plans.items()
        ]
        decision = pick(
            list(self.waiting.values()), running, snapshot, self.now, limit=self.limit
        )
        self._check(decision, snapshot)
        for key, plan in decision.starts:
            self._start(key, plan)
        return bool(decision.starts)

    def _start(self, key: int, plan: Plan) -> None:
        load = self.loads[key]
        taken = {p.gpu.uuid for other in self.plans.values() for p in other.placements}
        mine = [p.gpu.uuid for p in plan.placements]
        assert len(mine) == len(set(mine)) >= load.demand.minimum
        assert not taken & set(mine), "no GPU twice"
        del self.waiting[key]
        self.plans[key], self.started[key] = plan, self.now
        self.ends[key] = self.now + load.runs
        self.bounds[key] = None if load.bound is None else self.now + load.bound

    def _check(self, decision: QueueDecision[int], snapshot: Snapshot) -> None:
        order = sorted(self.waiting.values(), key=lambda job: (-job.priority, job.seq))
        places = {job.key: place for place, job in enumerate(order)}
        starts = dict(decision.starts)
        if len(starts) < self.limit:
            assert set(starts) | set(decision.held) == set(self.waiting)
        assert not set(starts) & set(decision.held)
        shadow = decision.shadow
        head = len(order) if shadow is None else places[shadow.key]
        for job in order[:head]:
            if job.key in decision.held:
                assert not self._could_ever(job.demand, snapshot), "passed for nothing"
        self._void(places, min((places[key] for key in starts), default=len(order)))
        if shadow is None:
            return
        for key, plan in starts.items():
            if places[key] > head:
                bound = self.loads[key].bound
                gpus: set[Uuid] = {p.gpu.uuid for p in plan.placements}
                in_time = (
                    bound is not None
                    and shadow.at is not None
                    and self.now + bound <= shadow.at
                )
                assert in_time or not gpus & shadow.gpus
                if shadow.at is None:
                    needs = self.loads[shadow.key].demand
                    assert not any(self._usable(needs, gpu) for gpu in gpus)
        self._void(places, head)
        self._promise(shadow.key, shadow.at)

    def _void(self, places: dict[int, int], first: int) -> None:
        """A job that came with a higher priority voids what those behind it have."""
        for key in set(self.promised) & set(places):
            if places[key] > first:
                del self.promised[key]

    def _promise(self, head: int, at: float | None) -> None:
        before = self.promised.get(head)
        if before is not None:
            assert at is not None, "a promise is not taken back"
            assert at <= before, "a promise only gets better"
        if at is not None:
            self.promised[head] = at

    def _could_ever(self, demand: Demand, snapshot: Snapshot) -> bool:
        busy = {r.engine for r in snapshot.reservations if not r.idle}
        return isinstance(schedule(demand, after_leaving(snapshot, busy)), Plan)

    def _usable(self, demand: Demand, gpu: Uuid) -> bool:
        """Whether a replica could stand on this GPU if it were empty."""
        others = {g.uuid for g in self.cluster.gpus} - {gpu}
        alone = replace(demand, minimum=1, maximum=1)
        return isinstance(schedule(alone, kept_off(self.cluster, others)), Plan)

    def _never(self) -> set[int]:
        waiting = list(self.waiting.values())
        held = pick(waiting, [], self.cluster, self.now, DEFAULT).held
        return {k for k, waits in held.items() if waits[0].tier is Tier.NEVER_FITS}


def _well(snapshot: Snapshot) -> Snapshot:
    """The snapshot once other programs are gone and sick GPUs are well."""
    gpus = tuple(
        replace(gpu, free_bytes=gpu.total_bytes, owners=(), problem="")
        if gpu.owners or gpu.problem
        else gpu
        for gpu in snapshot.gpus
    )
    return replace(snapshot, gpus=gpus)


def _shown(snapshot: Snapshot, engines: frozenset[str]) -> Snapshot:
    """The snapshot once these engines hold what was promised to them."""
    held = {
        r.gpu: r.reserved_bytes for r in snapshot.reservations if r.engine in engines
    }
    gpus = tuple(
        replace(gpu, free_bytes=gpu.free_bytes - held.get(gpu.uuid, 0))
        for gpu in snapshot.gpus
    )
    reservations = tuple(
        replace(r, used_bytes=r.reserved_bytes) if r.engine in engines else r
        for r in snapshot.reservations
    )
    return replace(snapshot, gpus=gpus, reservations=reservations)
