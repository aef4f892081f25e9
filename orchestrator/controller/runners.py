"""The runners of jobs: started, watched, and told of replicas that come and go."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from functools import partial

from orchestrator.controller.active import ActiveJob
from orchestrator.controller.batch_work import BatchWork
from orchestrator.controller.clock import now
from orchestrator.controller.core import Core
from orchestrator.controller.fleet import Engine
from orchestrator.controller.lacking import learn
from orchestrator.controller.loop import bug
from orchestrator.errors import Code, Fault, OrchError
from orchestrator.lifecycle.events import Event, ReplicaLost, RunnerEnded, RunnerLost
from orchestrator.lifecycle.key import JobKey
from orchestrator.lifecycle.states import State
from orchestrator.runtime.cluster import RunnerHandle
from orchestrator.runtime.progress import RunnerView
from orchestrator.runtime.runner_job import RunnerJob
from orchestrator.scheduling.snapshot import Gpu

WATCH_S = 10.0
STANDBY_TIMEOUT_S = 30.0


class Runners:
    """The runner of each job, as the loop's thread sees it."""

    def __init__(self, core: Core, perform: Callable[[ActiveJob, Event], None]) -> None:
        self._core = core
        self._perform = perform
        self._handles: dict[str, RunnerHandle] = {}
        self._standby: Future[tuple[str, RunnerHandle]] | None = None

    def prepare(self) -> None:
        """Have the next job's runner ready under its name: that saves it a second."""
        if self._standby is not None:
            return
        name = runner_name(self._next())
        standby: Future[tuple[str, RunnerHandle]] = Future()
        self._standby = standby
        self._core.loop.thread(lambda: self._fill(standby, name), f"standby {name}")

    def _next(self) -> JobKey:
        """The batch job that will most likely want the next runner."""
        waiting = [
            job.key
            for job in self._core.jobs.values()
            if job.machine.state in (State.PENDING, State.LOADING)
            and isinstance(job.work, BatchWork)
            and not job.machine.running
        ]
        return min(waiting, default=JobKey(self._core.store.last_job() + 1))

    def refresh(self) -> None:
        """See that what stands by still has the name that will be wanted."""
        standby = self._standby
        if standby is None or not standby.done() or len(self._core.queue):
            return
        if standby.exception() is None:
            name, handle = standby.result()
            if name == runner_name(self._next()):
                return
            self._core.loop.effect(
                lambda: self._core.cluster.kill(handle), lambda _done: None
            )
        self._standby = None
        self.prepare()

    def _fill(self, standby: Future[tuple[str, RunnerHandle]], name: str) -> None:
        try:
            standby.set_result((name, self._core.cluster.start_runner(name)))
        except Exception as error:  # noqa: BLE001 - who takes it must hear of it
            standby.set_exception(error)

    def _take(
        self, name: str, standby: Future[tuple[str, RunnerHandle]] | None
    ) -> RunnerHandle:
        """The runner that stands by, if it has this name, else a new one."""
        if standby is not None:
            with suppress(Exception):
                ready, handle = standby.result(timeout=STANDBY_TIMEOUT_S)
                if ready == name:
                    return handle
                self._core.cluster.kill(handle)
        return self._core.cluster.start_runner(name)

    def start(self, job: ActiveJob) -> None:
        """Start a runner; it takes all replicas there are, and resumes from disk."""
        machine = job.machine
        name = runner_name(job.key, machine.attempt, machine.restarts.get("runner", 0))
        job.runner_name = name
        standby, self._standby = self._standby, None
        self._core.loop.thread(lambda: self._start_and_watch(job, name, standby), name)
        # A controller that comes back must find this runner by its name.
        self._core.records.save(job)

    def adopt(self, job: ActiveJob) -> bool:
        """Watch a runner that outlived the controller; false if it is gone."""
        handle = self._core.cluster.find_runner(job.runner_name)
        if handle is None:
            return False
        name = job.runner_name
        self._core.loop.thread(lambda: self._watch(job, name, handle), name)
        return True

    def offer(self, job: ActiveJob, engine: Engine) -> None:
        """Tell the job's runner of a replica that is ready."""
        runner = self._handles.get(job.runner_name)
        # A runner that is still being started takes all there are when it is ready.
        if runner is not None and engine.handle is not None:
            self._core.cluster.add_replica(runner, engine.actor, engine.handle)

    def stop(self, job: ActiveJob, *, force: bool) -> None:
        """Let the job's runner come to rest."""
        job.stopping = force
        runner = self._handles.get(job.runner_name)
        if runner is not None:
            self._core.cluster.stop_runner(runner, force=force)

    def _start_and_watch(
        self,
        job: ActiveJob,
        name: str,
        standby: Future[tuple[str, RunnerHandle]] | None,
    ) -> None:
        try:
            work = _runner_job(job)
            handle = self._take(name, standby)
        except OrchError as error:
            if error.fault.code is Code.RUNNER_LOST:
                self._core.loop.post(partial(self._lost, job, name, error.fault))
                return
            # The model's files have changed since the job was accepted.
            ended = RunnerEnded(error.faults)
            self._core.loop.post(lambda: self._perform(job, ended))
            return
        except Exception as error:  # noqa: BLE001 - unheard of, the job would hang
            self._core.loop.post(partial(self._lost, job, name, _fault_of(error)))
            return
        self._watch(job, name, handle, work)

    def _watch(
        self,
        job: ActiveJob,
        name: str,
        handle: RunnerHandle,
        work: RunnerJob | None = None,
    ) -> None:
        try:
            if work is not None:
                self._core.cluster.begin_job(handle, work)
            self._follow(job, name, handle)
        except Exception as error:  # noqa: BLE001 - unheard of, the job would hang
            with suppress(Exception):
                # One that only seems dead must not write beside the next one.
                self._core.cluster.kill(handle)
            self._core.loop.post(partial(self._lost, job, name, _fault_of(error)))

    def _follow(self, job: ActiveJob, name: str, handle: RunnerHandle) -> None:
        self._core.loop.post(partial(self._ready, job, name, handle))
        view = RunnerView(version=-1)
        while view.phase != "done":
            view = self._core.cluster.watch_runner(handle, view.version, WATCH_S)
            if view.version == 0:
                # The controller before this one died before it gave the job.
                raise OrchError.of(Code.RUNNER_LOST, "the runner never got its job")
            self._core.loop.post(partial(self._news, job, name, view))
        with suppress(Exception):
            self._core.cluster.kill(handle)

    def _ready(self, job: ActiveJob, name: str, handle: RunnerHandle) -> None:
        if job.runner_name != name:
            return
        self._handles[name] = handle
        self.prepare()
        for engine in self._core.fleet.of_job(job.key):
            if engine.pid:
                self.offer(job, engine)
        if job.stopping is not None:
            self.stop(job, force=job.stopping)

    def _news(self, job: ActiveJob, name: str, view: RunnerView) -> None:
        if job.runner_name != name:
            return
        seen = len(job.runner.lost)
        job.runner = view
        self._core.changed(job)
        for actor, fault in view.lost[seen:]:
            self._replica_lost(job, actor, fault)
        if view.phase == "done":
            self._handles.pop(name, None)
            self._perform(job, RunnerEnded(view.faults, view.stopped))

    def _replica_lost(self, job: ActiveJob, actor: str, fault: Fault) -> None:
        engines = self._core.fleet.of_job(job.key)
        engine = next((e for e in engines if e.actor == actor), None)
        if engine is None:
            return
        pid, engine.pid = engine.pid, 0
        job.details[engine.replica] = fault.message
        if fault.code is Code.OUT_OF_GPU_MEMORY:
            self._out_of_memory(job, engine, fault, pid)
            return
        job.tell(
            f"replica {engine.replica} on {engine.gpu.name} was lost "
            f"({fault.message}); its rows run elsewhere"
        )
        node, replica = engine.gpu.node_id, engine.replica
        self._core.loop.effect(
            lambda: self._core.cluster.node_answers(node),
            lambda alive: self._perform(job, _loss(replica, fault, alive=alive)),
            lambda _error: self._perform(job, _loss(replica, fault, alive=True)),
        )

    def _out_of_memory(
        self, job: ActiveJob, engine: Engine, fault: Fault, pid: int
    ) -> None:
        """No smaller batch has helped: more is set aside for the next attempt."""

        def seen(gpus: Sequence[Gpu]) -> None:
            told = learn(self._core, job, engine, fault, gpus, pid)
            self._perform(job, ReplicaLost(engine.replica, told))

        self._core.loop.effect(
            self._core.cluster.gpus, seen, lambda _error: seen(self._core.gpus)
        )

    def _lost(self, job: ActiveJob, name: str, fault: Fault) -> None:
        if job.runner_name != name:
            return
        self._handles.pop(name, None)
        job.runner = RunnerView()
        job.tell(f"the runner was lost ({fault.message}); it starts again")
        self._perform(job, RunnerLost(fault))


def runner_name(key: JobKey, attempt: int = 1, deaths: int = 0) -> str:
    """The runner's name in Ray; a new one for each attempt and after each death."""
    name = f"orch:job-{key}:runner"
    if attempt == 1 and not deaths:
        return name
    return f"{name}.{attempt}.{deaths + 1}"


def _runner_job(job: ActiveJob) -> RunnerJob:
    """What the runner is told. Off the loop's thread: it may look at files."""
    assert isinstance(job.work, BatchWork)
    assert job.plan is not None
    if not job.looked:
        job.files, job.looked = job.work.look(), True
    kind = job.plan.placements[0].gpu.kind
    started_at = job.started_at or now()
    return job.work.runner_job(job.row, job.run, job.files, kind, started_at)


def _fault_of(error: Exception) -> Fault:
    return error.fault if isinstance(error, OrchError) else bug(error)


def _loss(replica: int, fault: Fault, *, alive: bool) -> ReplicaLost:
    if alive:
        return ReplicaLost(replica, fault)
    gone = Fault(Code.NODE_LOST, f"its node was lost: {fault.message}", fault.facts)
    return ReplicaLost(replica, gone, gone=True)
