"""Leases for a plan: all of them or none, and a last look before anything loads."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

from orchestrator.controller.active import ActiveJob
from orchestrator.controller.batch_work import BatchWork
from orchestrator.controller.clock import now
from orchestrator.controller.core import Core
from orchestrator.controller.ending import end_engine
from orchestrator.controller.fleet import Engine, Leak
from orchestrator.controller.loop import bug
from orchestrator.lifecycle.events import Event, LeaseRefused, Planned
from orchestrator.lifecycle.states import State
from orchestrator.runtime.leases import LeaseRefusedError
from orchestrator.scheduling.plan import Plan
from orchestrator.scheduling.recheck import recheck
from orchestrator.scheduling.snapshot import Snapshot

KEEP_REFUSED_S = 30.0


@dataclass(frozen=True, slots=True)
class _Leased:
    """How leasing a plan went: nothing is held if it was refused."""

    refusal: str = ""
    leaks: tuple[Leak, ...] = ()
    """What engines that had to leave still hold."""


class Leasing:
    """Carries out plans of the queue. Lives on the loop's thread."""

    def __init__(self, core: Core, perform: Callable[[ActiveJob, Event], None]) -> None:
        self._core = core
        self._perform = perform

    def lease(self, job: ActiveJob, plan: Plan, then: Callable[[], None]) -> None:
        """Lease what the plan says, or nothing of it.

        Args:
            job: Whose plan it is: it hears Planned or LeaseRefused.
            plan: What the scheduler proposes on the newest reports.
            then: Called on the loop's thread when that is decided.
        """
        names = [f"orch:job-{job.key}:replica-{p.replica}" for p in plan.placements]
        assert isinstance(job.work, BatchWork)
        self._core.fleet.reserve(job.key, job.work.model_label, plan, names)
        engines = self._core.fleet.of_job(job.key)
        leaving = [
            self._core.fleet.engines[name] for p in plan.placements for name in p.evict
        ]
        cold = [engine for engine in engines if engine.lease is None]

        def end(leased: _Leased) -> None:
            try:
                self._leased(job, plan, engines, leaving, leased)
            finally:
                then()

        self._core.loop.effect(
            lambda: self._acquire(plan, cold, leaving),
            end,
            lambda error: end(_Leased(bug(error).message)),
        )

    def _acquire(
        self, plan: Plan, cold: list[Engine], leaving: list[Engine]
    ) -> _Leased:
        """In the pool: make room, lease, and look again before anything loads."""
        with ThreadPoolExecutor(max(1, len(cold), len(leaving))) as pool:
            ended = pool.map(lambda engine: end_engine(self._core, engine), leaving)
            leaks = tuple(end.leak for end in ended if end.leak is not None)
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
        fleet = self._core.fleet
        for engine in leaving:
            fleet.engines.pop(engine.name, None)
            self._core.records.write(partial(self._core.store.drop_engine, engine.name))
        fleet.leaked.update({leak.gpu: leak for leak in leased.leaks})
        if leased.refusal or job.machine.state is not State.PENDING:
            self._undo(engines)
            self._refused(job, leased.refusal)
        else:
            self._placed(job, plan, engines)

    def _placed(self, job: ActiveJob, plan: Plan, engines: list[Engine]) -> None:
        with self._core.records.writing(job):
            for engine in engines:
                self._core.store.save_engine(engine.name, engine.to_json())
        self._core.queue.remove(job.key)
        job.plan, job.diagnosis, job.waits = plan, None, ()
        job.names = {engine.replica: engine.name for engine in engines}
        job.started_at = job.started_at or now()
        where = ", ".join(placement.gpu.name for placement in plan.placements)
        self._perform(job, Planned(len(plan.placements), where))

    def _refused(self, job: ActiveJob, refusal: str) -> None:
        if job.machine.state is not State.PENDING:
            return
        told = f"looking for another place: {refusal}"
        if told not in job.notices[-1:]:
            job.tell(told)
        self._perform(job, LeaseRefused(refusal))

    def _undo(self, engines: list[Engine]) -> None:
        for engine in engines:
            if engine.handle is not None:
                # It was warm, and stays so for the next try.
                self._core.fleet.idle_from_now(engine, KEEP_REFUSED_S)
                continue
            if engine.lease is not None:
                self._core.cluster.release(engine.lease)
            self._core.fleet.engines.pop(engine.name, None)
