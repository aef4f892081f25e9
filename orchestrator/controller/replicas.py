"""The replicas of batch jobs: loaded, dropped, kept alive. On the loop's thread."""

from __future__ import annotations

import getpass
from collections.abc import Callable
from dataclasses import replace

from orchestrator.controller.active import ActiveJob
from orchestrator.controller.batch_work import BatchWork
from orchestrator.controller.clock import now
from orchestrator.controller.commands import attempt_folder
from orchestrator.controller.core import Core
from orchestrator.controller.ending import Ended, end_engine
from orchestrator.controller.fleet import Engine
from orchestrator.controller.lacking import Lack, lack_seen, learn
from orchestrator.controller.loop import bug
from orchestrator.controller.store import Usage
from orchestrator.engines.base import Held, Loaded
from orchestrator.errors import Code, Fault, OrchError
from orchestrator.estimate.known import Seen
from orchestrator.estimate.measured import Peak
from orchestrator.lifecycle.events import Event, ReplicaFailed, ReplicaReady
from orchestrator.lifecycle.states import State

_JOBS_OWN = (Code.MODEL_FAILED_TO_LOAD, Code.BAD_VALUE, Code.FILE_NOT_FOUND, Code.BUG)
"""Faults of a load that no other GPU would cure."""

_Start = tuple[Loaded, tuple[int, int]] | Fault | Lack


class Replicas:
    """Engines as replicas of jobs."""

    def __init__(
        self,
        core: Core,
        perform: Callable[[ActiveJob, Event], None],
        find_place: Callable[[], None],
    ) -> None:
        self._core = core
        self._perform = perform
        self._find_place = find_place

    def of(self, job: ActiveJob, replica: int) -> Engine:
        """The engine of a replica."""
        return self._core.fleet.engines[job.names[replica]]

    def start(self, job: ActiveJob, replica: int) -> None:
        """Load the model, unless the engine has it already."""
        engine = self.of(job, replica)
        assert job.plan is not None
        assert isinstance(job.work, BatchWork)
        shape = job.plan.demand.shape
        secrets = self._core.store.secrets(job.key)
        spec = job.work.engine_spec(
            job.plan.placements[replica], shape.tokens if shape else 0, secrets
        )
        warm = engine.handle is not None and engine.pid != 0
        log = self._log(job, replica)
        redact = tuple(value for value in secrets.values() if value)
        job.nodes[job.machine.attempt, replica] = engine.gpu.node_id
        self._open_usage(job, engine)

        def start() -> _Start | None:
            cluster = self._core.cluster
            if engine.handle is not None:
                if warm and cluster.answers(engine.handle):
                    cluster.begin_replica(engine.handle, log, redact)
                    return None
                cluster.kill(engine.handle)
            assert engine.lease is not None
            try:
                engine.handle = cluster.start_replica(
                    engine.begin_life(), engine.gpu, engine.lease
                )
                cluster.begin_replica(engine.handle, log, redact)
                return cluster.load(engine.handle, engine.gpu.node_id, spec)
            except OrchError as error:
                return lack_seen(cluster, error.fault)

        self._core.loop.effect(
            start,
            lambda outcome: self._started(job, replica, engine, outcome),
            lambda error: self._started(job, replica, engine, bug(error)),
        )

    def drop(self, job: ActiveJob, replica: int) -> None:
        """Let a replica and its lease go."""
        name = job.names.get(replica, "")
        engine = self._core.fleet.engines.get(name)
        if engine is not None and engine.job == job.key:
            self._close_usage(job, engine.gpu.uuid)
            self.end(engine)

    def leave(self, job: ActiveJob, state: State) -> None:
        """The job's attempt is over: its engines stay for the next job, or go."""
        if not isinstance(job.work, BatchWork):
            return
        held = dict(job.runner.held)
        # No other job may have an engine that knows this one's secrets.
        keep_s = 0.0 if job.work.owner else job.work.job.keep_alive
        for engine in self._core.fleet.of_job(job.key):
            self._learn(engine, held.get(engine.actor, Held()))
            if keep_s > 0 and engine.pid != 0 and state is State.SUCCEEDED:
                self._core.fleet.idle_from_now(engine, keep_s)
                self._save_engine(engine)
            else:
                self.end(engine, job)
        self._close_usage(job, None)

    def end(self, engine: Engine, job: ActiveJob | None = None) -> None:
        """End an engine; its promise stays until its memory is seen free.

        Args:
            engine: Which.
            job: To be told what memory came back.
        """
        engine.job, engine.leaving = None, True
        self._core.loop.effect(
            lambda: end_engine(self._core, engine),
            lambda ended: self._ended(engine, job, ended),
            lambda error: self._ended(engine, job, Ended(bug(error).message)),
        )

    # --- inside -----------------------------------------------------------------------

    def _started(
        self, job: ActiveJob, replica: int, engine: Engine, outcome: _Start | None
    ) -> None:
        if engine.job != job.key:
            return
        if isinstance(outcome, Lack):
            outcome = learn(self._core, job, engine, outcome.fault, outcome.gpus)
        if isinstance(outcome, Fault):
            where = f"on {engine.gpu.name} ({engine.gpu.model}, {engine.gpu.uuid})"
            outcome = replace(outcome, facts=(where, *outcome.facts))
            job.details[replica] = outcome.message
            job.tell(
                f"replica {replica} on {engine.gpu.name} did not start: "
                f"{outcome.code} {outcome.message}"
            )
            everywhere = outcome.code in _JOBS_OWN
            self._perform(job, ReplicaFailed(replica, outcome, everywhere))
            return
        if outcome is not None:
            loaded, (_actor_pid, engine.pid) = outcome
            engine.description = loaded.description
            self._save_engine(engine)
        job.details[replica] = engine.description
        job.pids[replica] = engine.pid
        self._perform(job, ReplicaReady(replica))

    def _ended(self, engine: Engine, job: ActiveJob | None, ended: Ended) -> None:
        self._core.fleet.engines.pop(engine.name, None)
        self._core.records.write(lambda: self._core.store.drop_engine(engine.name))
        if ended.leak is not None:
            self._core.fleet.leaked[ended.leak.gpu] = ended.leak
        if job is not None and self._core.is_newest(job):
            if ended.leak is None:
                job.returned.append((engine.gpu.name, ended.free_bytes))
            else:
                job.tell(str(ended.leak))
            with self._core.records.writing(job):
                self._core.records.save(job)
            self._core.changed(job)
        self._find_place()

    def _log(self, job: ActiveJob, replica: int) -> str:
        folder = attempt_folder(job.key, job.machine.attempt)
        return f"{folder}/rank-{replica}.log"

    def _open_usage(self, job: ActiveJob, engine: Engine) -> None:
        gpu = engine.gpu
        usage = Usage(
            key=job.key,
            name=job.row.name,
            kind=job.row.kind,
            model=engine.label,
            user=job.row.user or getpass.getuser(),
            gpu=gpu.uuid,
            gpu_name=gpu.name,
            gpu_model=gpu.model,
            started_at=now(),
            finished_at=None,
        )
        self._core.records.write(lambda: self._core.store.open_usage(usage))

    def _close_usage(self, job: ActiveJob, gpu: str | None) -> None:
        at = now()
        store = self._core.store
        self._core.records.write(lambda: store.close_usage(job.key, at, gpu=gpu))

    def _learn(self, engine: Engine, held: Held) -> None:
        """Keep what was seen of its memory for the next plan."""
        store, profile = self._core.store, held.profile
        if held.bytes and held.shape is not None:
            peak = Peak(held.shape, held.bytes, engine.gpu.model)
            seen = Seen(peak, settled=held.settled)
            self._core.records.write(lambda: store.save_seen(engine.key, seen))
        if profile is not None:
            self._core.records.write(lambda: store.save_profile(engine.key, profile))

    def _save_engine(self, engine: Engine) -> None:
        data = engine.to_json()
        store = self._core.store
        self._core.records.write(lambda: store.save_engine(engine.name, data))
