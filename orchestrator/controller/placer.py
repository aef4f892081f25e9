"""The queue: gives the oldest waiting job a place as soon as there is one."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from orchestrator.controller.core import Core, now
from orchestrator.controller.ending import end_engine
from orchestrator.controller.fleet import Engine, Leak
from orchestrator.controller.loop import bug
from orchestrator.controller.store import Store
from orchestrator.controller.views import ActiveJob
from orchestrator.controller.work import Work
from orchestrator.errors import Fault, OrchError
from orchestrator.lifecycle.messages import (
    Event,
    GaveUp,
    LeaseRefused,
    NoPlace,
    Planned,
)
from orchestrator.lifecycle.states import State
from orchestrator.runtime.leases import LeaseRefusedError
from orchestrator.scheduling.plan import Diagnosis, Plan
from orchestrator.scheduling.policy import Policy
from orchestrator.scheduling.recheck import recheck
from orchestrator.scheduling.schedule import schedule
from orchestrator.scheduling.snapshot import Gpu, Snapshot

KEEP_REFUSED_S = 30.0
POLICY = Policy(evict_all_idle=True)
"""A lease is a whole GPU: an idle engine cannot stay beside a new one."""

Perform = Callable[[ActiveJob, Event], None]
"""Gives an event to a job's machine and carries out what it says."""


@dataclass(frozen=True, slots=True)
class _Leased:
    """How leasing a plan went: nothing is held if it was refused."""

    refusal: str = ""
    leaks: tuple[Leak, ...] = ()
    """What engines that had to leave still hold."""


class Placer:
    """Places one job at a time, oldest first. Lives on the loop's thread."""

    def __init__(self, core: Core, perform: Perform) -> None:
        self._core = core
        self._perform = perform
        self._busy = False

    def look(self) -> None:
        """Try to place the job at the head of the queue."""
        waiting = [
            job
            for job in self._core.jobs.values()
            if job.machine.state is State.PENDING
        ]
        if self._busy or not waiting:
            return
        self._busy = True
        head = min(waiting, key=lambda job: job.id)
        self._core.loop.effect(
            self._core.cluster.gpus,
            lambda gpus: self._decide(head, tuple(gpus)),
            self._look_failed,
        )

    def _look_failed(self, _error: Exception) -> None:
        # The next tick looks again.
        self._busy = False

    def _decide(self, job: ActiveJob, gpus: tuple[Gpu, ...]) -> None:
        self._core.gpus = gpus
        self._busy = False
        if job.machine.state is not State.PENDING:
            self.look()
            return
        snapshot = self._core.fleet.snapshot(gpus)
        try:
            answer = plan_for(self._core.store, job.work, snapshot)
        except OrchError as error:
            self._give_up(job, error.fault)
            return
        except Exception as error:  # noqa: BLE001 - the jobs behind it must not wait
            self._give_up(job, bug(error))
            return
        if isinstance(answer, Diagnosis):
            self._wait(job, answer)
        else:
            self._lease(job, answer)

    def _wait(self, job: ActiveJob, diagnosis: Diagnosis) -> None:
        if job.diagnosis == diagnosis:
            return
        news = job.diagnosis is None or job.diagnosis.summary != diagnosis.summary
        job.diagnosis = diagnosis
        if news:
            self._perform(job, NoPlace(diagnosis.summary))
        else:
            self._core.changed(job)

    def _give_up(self, job: ActiveJob, fault: Fault) -> None:
        # It was accepted, but its files have changed since.
        self._perform(job, GaveUp(fault))

    def _lease(self, job: ActiveJob, plan: Plan) -> None:
        self._busy = True
        names = [f"orch:job-{job.id}:replica-{p.replica}" for p in plan.placements]
        self._core.fleet.reserve(job.id, job.work.model_label, plan, names)
        engines = self._core.fleet.of_job(job.id)
        leaving = [
            self._core.fleet.engines[name] for p in plan.placements for name in p.evict
        ]
        cold = [engine for engine in engines if engine.lease is None]
        self._core.loop.effect(
            lambda: self._acquire(plan, cold, leaving),
            lambda leased: self._leased(job, plan, engines, leaving, leased),
            lambda error: self._leased(
                job, plan, engines, leaving, _Leased(bug(error).message)
            ),
        )

    def _acquire(
        self, plan: Plan, cold: list[Engine], leaving: list[Engine]
    ) -> _Leased:
        """In the pool: make room, lease, and look again before anything loads."""
        with ThreadPoolExecutor(max(1, len(cold), len(leaving))) as pool:
            ended = pool.map(lambda engine: end_engine(self._core, engine), leaving)
            leaks = tuple(leak for leak in ended if leak is not None)
            refusals = [str(leak) for leak in leaks]
            refusals += [text for text in pool.map(self._acquire_one, cold) if text]
        if not refusals and cold:
            refusals = self._look_again(plan, cold)
        if not refusals:
            return _Leased()
        for engine in cold:
            if engine.lease is not None:
                self._core.cluster.release(engine.lease)
                engine.lease = None
        return _Leased(refusals[0], leaks)

    def _acquire_one(self, engine: Engine) -> str:
        try:
            engine.lease = self._core.cluster.acquire(engine.name, engine.gpu)
        except LeaseRefusedError as error:
            return error.fault.message
        return ""

    def _look_again(self, plan: Plan, cold: list[Engine]) -> list[str]:
        """Somebody else's program may have taken the memory since the plan."""
        gpus = tuple(self._core.cluster.gpus())
        uuids = {engine.gpu.uuid for engine in cold}
        fresh = tuple(
            replace(p, warm="", evict=())
            for p in plan.placements
            if p.gpu.uuid in uuids
        )
        objection = recheck(replace(plan, placements=fresh), Snapshot(gpus))
        return (
            [] if objection is None else [f"{objection.gpu.name}: {objection.detail}"]
        )

    def _leased(
        self,
        job: ActiveJob,
        plan: Plan,
        engines: list[Engine],
        leaving: list[Engine],
        leased: _Leased,
    ) -> None:
        self._busy = False
        fleet = self._core.fleet
        for engine in leaving:
            fleet.engines.pop(engine.name, None)
            self._core.store.drop_engine(engine.name)
        fleet.leaked.update({leak.gpu: leak for leak in leased.leaks})
        if leased.refusal or job.machine.state is not State.PENDING:
            self._undo(engines)
            if job.machine.state is State.PENDING:
                told = f"looking for another place: {leased.refusal}"
                if told not in job.notices[-1:]:
                    job.notices.append(told)
                self._perform(job, LeaseRefused(leased.refusal))
            return
        for engine in engines:
            self._core.store.save_engine(engine.name, engine.to_json())
        job.plan, job.diagnosis = plan, None
        job.names = {engine.replica: engine.name for engine in engines}
        job.started_at = job.started_at or now()
        self._perform(job, Planned(len(plan.placements)))
        self.look()

    def _undo(self, engines: list[Engine]) -> None:
        for engine in engines:
            if engine.handle is not None:
                # It was warm, and stays so for the next try.
                self._core.fleet.idle_from_now(engine, KEEP_REFUSED_S)
                continue
            if engine.lease is not None:
                self._core.cluster.release(engine.lease)
            self._core.fleet.engines.pop(engine.name, None)


def plan_for(store: Store | None, work: Work, snapshot: Snapshot) -> Plan | Diagnosis:
    """The scheduler's answer for this work on this snapshot.

    Raises:
        OrchError: E103 or E203, the model's files cannot be read.
    """
    peak = store.peak(work.engine_key(snapshot.kind)) if store else None
    return schedule(work.demand(snapshot, peak), snapshot, POLICY)
