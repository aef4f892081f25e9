"""Carries out what a job's machine says: replicas, runners, endings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import assert_never

from orchestrator.controller.core import Core, now
from orchestrator.controller.ending import end_engine
from orchestrator.controller.fleet import Engine, Leak
from orchestrator.controller.loop import bug
from orchestrator.controller.runners import Runners
from orchestrator.controller.views import ActiveJob
from orchestrator.engines.base import Loaded
from orchestrator.errors import Code, Fault, OrchError
from orchestrator.lifecycle.messages import (
    DropReplica,
    Event,
    FindPlace,
    Finish,
    Instruction,
    OfferReplica,
    ReplicaFailed,
    ReplicaReady,
    StartReplica,
    StartRunner,
    StopRunner,
)
from orchestrator.lifecycle.states import State

_JOBS_OWN = (Code.MODEL_FAILED_TO_LOAD, Code.BAD_VALUE, Code.FILE_NOT_FOUND, Code.BUG)
"""Faults of a load that no other GPU would cure."""

_Start = tuple[Loaded, tuple[int, int]] | Fault


class Performer:
    """Events in, machine, effects out. Lives on the loop's thread."""

    def __init__(self, core: Core, find_place: Callable[[], None]) -> None:
        self._core = core
        self._find_place = find_place
        self._runners = Runners(core, self)

    def __call__(self, job: ActiveJob, event: Event) -> None:
        """Give the event to the job's machine and carry out what it says."""
        for instruction in self._core.handle(job, event):
            self._do(job, instruction)
        # Only now: who sees a job ended must also see its engines free.
        self._core.changed(job)

    def adopt(self, job: ActiveJob) -> bool:
        """Watch a runner that outlived the controller; false if it is gone."""
        return self._runners.adopt(job)

    def prepare(self) -> None:
        """Have a runner standing by for the next job."""
        self._runners.prepare()

    def _do(self, job: ActiveJob, instruction: Instruction) -> None:
        match instruction:
            case FindPlace():
                self._find_place()
            case StartReplica():
                self._start_replica(job, instruction.replica)
            case DropReplica():
                self._drop_replica(job, instruction)
            case StartRunner():
                self._runners.start(job)
            case OfferReplica():
                self._runners.offer(job, self._engine(job, instruction.replica))
            case StopRunner():
                self._runners.stop(job, force=instruction.force)
            case Finish():
                self._finish(job, instruction)
            case _:
                assert_never(instruction)

    def _engine(self, job: ActiveJob, replica: int) -> Engine:
        return self._core.fleet.engines[job.names[replica]]

    # --- replicas -----------------------------------------------------------------

    def _start_replica(self, job: ActiveJob, replica: int) -> None:
        engine = self._engine(job, replica)
        assert job.plan is not None
        spec = job.work.engine_spec(job.plan.placements[replica])
        warm = engine.handle is not None and engine.pid != 0

        def start() -> _Start | None:
            cluster = self._core.cluster
            if engine.handle is not None:
                if warm and cluster.answers(engine.handle):
                    return None
                cluster.kill(engine.handle)
            assert engine.lease is not None
            try:
                engine.handle = cluster.start_replica(
                    engine.begin_life(), engine.gpu, engine.lease
                )
                return cluster.load(engine.handle, engine.gpu.node_id, spec)
            except OrchError as error:
                return error.fault

        self._core.loop.effect(
            start,
            lambda outcome: self._started(job, replica, engine, outcome),
            lambda error: self._started(job, replica, engine, bug(error)),
        )

    def _started(
        self, job: ActiveJob, replica: int, engine: Engine, outcome: _Start | None
    ) -> None:
        if engine.job != job.id:
            return
        if isinstance(outcome, Fault):
            where = f"on {engine.gpu.name} ({engine.gpu.model}, {engine.gpu.uuid})"
            outcome = replace(outcome, facts=(where, *outcome.facts))
            job.details[replica] = outcome.message
            job.notices.append(
                f"replica {replica} on {engine.gpu.name} did not start: "
                f"{outcome.code} {outcome.message}"
            )
            everywhere = outcome.code in _JOBS_OWN
            self(job, ReplicaFailed(replica, outcome, everywhere))
            return
        if outcome is not None:
            loaded, (_actor_pid, engine.pid) = outcome
            engine.description = loaded.description
            self._core.store.save_engine(engine.name, engine.to_json())
        job.details[replica] = engine.description
        job.pids[replica] = engine.pid
        self(job, ReplicaReady(replica))

    def _drop_replica(self, job: ActiveJob, drop: DropReplica) -> None:
        name = job.names.get(drop.replica, "")
        engine = self._core.fleet.engines.get(name)
        if engine is not None and engine.job == job.id:
            self.end(engine)

    def end(self, engine: Engine) -> None:
        """End an engine; its promise stays until its memory is seen free."""
        engine.job, engine.leaving = None, True
        self._core.loop.effect(
            lambda: end_engine(self._core, engine),
            lambda leak: self._ended(engine, leak),
        )

    def _ended(self, engine: Engine, leak: Leak | None) -> None:
        self._core.fleet.engines.pop(engine.name, None)
        self._core.store.drop_engine(engine.name)
        if leak is not None:
            self._core.fleet.leaked[leak.gpu] = leak
        self._find_place()

    # --- the end ------------------------------------------------------------------

    def _finish(self, job: ActiveJob, finish: Finish) -> None:
        job.finished_at = now()
        peaks = dict(job.runner.peak_bytes)
        keep_s = job.work.job.keep_alive
        for engine in self._core.fleet.of_job(job.id):
            peak = peaks.get(engine.actor, 0)
            if peak:
                self._core.store.save_peak(engine.key, engine.gpu.model, peak)
            healthy = engine.pid != 0 and finish.state is not State.FAILED
            if keep_s > 0 and healthy:
                self._core.fleet.idle_from_now(engine, keep_s)
                self._core.store.save_engine(engine.name, engine.to_json())
            else:
                self.end(engine)
        self._core.save(job)
        self._core.jobs.pop(job.id, None)
        self._find_place()
