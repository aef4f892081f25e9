"""A new controller takes up what an earlier one left: adopts what lives, requeues."""

from __future__ import annotations

from orchestrator.controller.active import ActiveJob, Running
from orchestrator.controller.batch_work import BatchWork
from orchestrator.controller.clock import now, seconds_since
from orchestrator.controller.core import Core
from orchestrator.controller.fleet import Engine
from orchestrator.controller.loop import bug
from orchestrator.controller.performer import Performer
from orchestrator.controller.store import QueuedRow
from orchestrator.errors import Fault, OrchError
from orchestrator.lifecycle.events import ControllerRestarted, DependencyFailed
from orchestrator.lifecycle.key import JobKey
from orchestrator.lifecycle.machine import JobMachine
from orchestrator.lifecycle.states import ReplicaState, State
from orchestrator.scheduling.plan import Plan

KEEP_ADOPTED_S = 120.0


def recover(core: Core, perform: Performer) -> None:
    """Bring jobs, engines and the cluster together again. Runs on the loop's thread."""
    _adopt_engines(core)
    for row in core.store.active():
        if row.tasks:
            continue
        try:
            _take_up(core, perform, core.restored(row))
        except Exception as error:  # noqa: BLE001 - one bad job must not end the others
            perform.give_up(row.key, _faults(error))
    for key in core.store.open_arrays():
        # Its last task may have ended just before the controller did.
        perform.arrays.task_changed(key)
    _queue_waiting(core, perform)
    _close_usage(core)
    _drop_ownerless(core, perform)
    core.cluster.sweep(_known(core))


def _adopt_engines(core: Core) -> None:
    for name, data in core.store.engines().items():
        lease_name = data["lease_name"]
        engine = Engine.from_json(name, data)
        core.fleet.known_to(engine.job, name)
        engine.lease = core.cluster.find_lease(lease_name) if lease_name else None
        engine.handle = core.cluster.find_replica(engine.actor)
        if engine.lease is None or engine.handle is None or not engine.pid:
            core.store.drop_engine(name)
            continue
        core.fleet.engines[name] = engine


# --- jobs that were at work -----------------------------------------------------------


def _take_up(core: Core, perform: Performer, job: ActiveJob) -> None:
    core.jobs[job.key] = job
    perform.line.runs(job)
    view = job.row.view
    job.plan = Plan.from_json(view["plan"]) if view.get("plan") else None
    job.runner_name = view.get("runner", {}).get("name", "")
    if isinstance(job.work, BatchWork):
        _take_up_batch(core, perform, job)
    else:
        _take_up_command(perform, job)
    core.changed(job)


def _take_up_command(perform: Performer, job: ActiveJob) -> None:
    """Its node knows whether it runs, or how it ended."""
    known = job.row.view.get("command") or {}
    node_id = job.nodes.get((job.machine.attempt, 0), "")
    job.command = Running(node_id, known.get("node", ""))
    perform.seats.take(job)
    perform(job, ControllerRestarted())
    perform.limits.changed(job)


def _take_up_batch(core: Core, perform: Performer, job: ActiveJob) -> None:
    if job.machine.state is State.STOPPING:
        # The runner may not have heard of it; told twice does no harm.
        job.stopping = False
    if not _adopt_job(core, perform, job):
        _requeue(core, perform, job)


def _adopt_job(core: Core, perform: Performer, job: ActiveJob) -> bool:
    """Go on watching a job whose runner and replicas are all alive."""
    engines = core.fleet.of_job(job.key)
    if job.machine.state not in (State.RUNNING, State.STOPPING) or not engines:
        return False
    if not perform.runners.adopt(job):
        return False
    job.names = {engine.replica: engine.name for engine in engines}
    job.pids = {engine.replica: engine.pid for engine in engines}
    ready = {engine.replica: ReplicaState.READY for engine in engines}
    machine = job.row.view["machine"]
    job.machine = JobMachine.restored(job.machine.rules, machine, ready, running=True)
    job.tell("the controller restarted; the job went on meanwhile")
    perform.limits.changed(job)
    return True


def _requeue(core: Core, perform: Performer, job: ActiveJob) -> None:
    job.tell("the controller restarted; finished rows are kept")
    for engine in core.fleet.of_job(job.key):
        core.fleet.idle_from_now(engine, KEEP_ADOPTED_S)
    job.plan, job.runner_name = None, ""
    perform(job, ControllerRestarted())


# --- jobs that wait -------------------------------------------------------------------


def _queue_waiting(core: Core, perform: Performer) -> None:
    for queued in core.store.pending():
        if queued.key in core.queue or queued.key in core.jobs:
            continue
        try:
            _queue_one(core, perform, queued)
        except Exception as error:  # noqa: BLE001 - one bad job must not end the others
            perform.give_up(queued.key, _faults(error))


def _queue_one(core: Core, perform: Performer, queued: QueuedRow) -> None:
    if queued.not_before is not None:
        _wait_for_retry(core, perform, queued)
        return
    wrong = perform.line.add_stored(queued, _after(core, queued))
    if wrong is not None:
        _skip(core, perform, queued.key, *wrong)
    elif queued.needs.get("queue_s") is not None:
        request = core.request(queued.key.number)
        row = core.store.job(queued.key)
        assert row is not None
        # When a later attempt came into the queue is not known.
        since = row.created_at if row.attempt == 1 else now()
        perform.limits.queued(queued.key, request.job, row.attempt, since)


def _faults(error: Exception) -> tuple[Fault, ...]:
    return error.faults if isinstance(error, OrchError) else (bug(error),)


def _wait_for_retry(core: Core, perform: Performer, queued: QueuedRow) -> None:
    """Its next attempt is due at a time that is known; it is in hand until then."""
    job = core.job(queued.key)
    assert job is not None
    assert queued.not_before is not None
    core.changed(job)
    perform.limits.retry(job, -seconds_since(queued.not_before))


def _skip(
    core: Core, perform: Performer, key: JobKey, number: int, state: State
) -> None:
    job = core.job(key)
    if job is not None:
        perform(job, DependencyFailed(JobKey(number), state))


def _after(core: Core, queued: QueuedRow) -> tuple[dict[str, object], ...]:
    if not queued.has_after:
        return ()
    row = core.store.job(queued.key)
    # Who asks for another attempt does not wait for what had its say before the first.
    return row.after if row is not None and row.attempt == 1 else ()


# --- what nobody owns -----------------------------------------------------------------


def _close_usage(core: Core) -> None:
    """GPUs of jobs that nobody adopted were not used since; when is not known."""
    for use in core.store.open_uses():
        holders = {engine.gpu.uuid for engine in core.fleet.of_job(use.key)}
        if use.gpu not in holders:
            core.store.close_usage(use.key, now(), gpu=use.gpu)


def _drop_ownerless(core: Core, perform: Performer) -> None:
    for engine in list(core.fleet.engines.values()):
        if engine.job is not None and engine.job not in core.jobs:
            perform.replicas.end(engine)
        elif engine.job is None and engine.idle_until is None:
            core.fleet.idle_from_now(engine, KEEP_ADOPTED_S)


def _known(core: Core) -> set[str]:
    engines = core.fleet.engines.values()
    leases = {engine.lease.name for engine in engines if engine.lease is not None}
    runners = {job.runner_name for job in core.jobs.values()}
    return leases | runners | {engine.actor for engine in engines}
