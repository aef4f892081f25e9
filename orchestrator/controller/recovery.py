"""A new controller takes up what an earlier one left: adopts what lives, requeues."""

from __future__ import annotations

from orchestrator.controller.core import Core, now
from orchestrator.controller.fleet import Engine
from orchestrator.controller.performer import Performer
from orchestrator.controller.store import JobRow
from orchestrator.controller.views import ActiveJob
from orchestrator.controller.work import Work
from orchestrator.errors import Code, Fault, OrchError
from orchestrator.lifecycle.machine import JobMachine
from orchestrator.lifecycle.messages import ControllerRestarted
from orchestrator.lifecycle.states import ReplicaState, State
from orchestrator.scheduling.plan import Plan

KEEP_ADOPTED_S = 120.0


def recover(core: Core, perform: Performer) -> None:
    """Bring jobs, engines and the cluster together again. Runs on the loop's thread."""
    _adopt_engines(core)
    for row in reversed(core.store.jobs(final=False, limit=-1)):
        try:
            job = _restored(row)
        except Exception as error:  # noqa: BLE001 - one bad job must not end the others
            _give_up(core, row, error)
            continue
        core.jobs[job.id] = job
        if not _adopt_job(core, perform, job):
            _requeue(core, perform, job)
        core.changed(job)
    _drop_ownerless(core, perform)
    core.cluster.sweep(_known(core))


def _adopt_engines(core: Core) -> None:
    for name, data in core.store.engines().items():
        core.fleet.given.add(name)
        lease_name = data["lease_name"]
        engine = Engine.from_json(name, data)
        engine.lease = core.cluster.find_lease(lease_name) if lease_name else None
        engine.handle = core.cluster.find_replica(engine.actor)
        if engine.lease is None or engine.handle is None or not engine.pid:
            core.store.drop_engine(name)
            continue
        core.fleet.engines[name] = engine


def _restored(row: JobRow) -> ActiveJob:
    view = row.view
    job = ActiveJob(row, Work.from_request(row.request))
    job.plan = Plan.from_json(view["plan"]) if view.get("plan") else None
    job.runner_name = view.get("runner", {}).get("name", "")
    job.started_at = row.started_at
    job.notices = list(view.get("notices", ()))
    job.version = view.get("version", 0) + 1
    job.machine = JobMachine(state=row.state)
    if row.state is State.STOPPING:
        # The runner may not have heard of it; told twice does no harm.
        job.stopping = False
    return job


def _give_up(core: Core, row: JobRow, error: Exception) -> None:
    """Another version of this program wrote it, and it is not a job to this one."""
    bug = Fault(Code.BUG, f"{type(error).__name__}: {error}")
    faults = error.faults if isinstance(error, OrchError) else (bug,)
    view = {
        **row.view,
        "id": row.id,
        "name": row.name,
        "state": str(State.FAILED),
        "version": row.view.get("version", 0) + 1,
        "finished_at": now(),
        "faults": [fault.to_json() for fault in faults],
    }
    core.store.save_job(row.id, State.FAILED, view, row.started_at, now())


def _adopt_job(core: Core, perform: Performer, job: ActiveJob) -> bool:
    """Go on watching a job whose runner and replicas are all alive."""
    engines = core.fleet.of_job(job.id)
    if job.machine.state not in (State.RUNNING, State.STOPPING) or not engines:
        return False
    if not perform.adopt(job):
        return False
    job.names = {engine.replica: engine.name for engine in engines}
    job.pids = {engine.replica: engine.pid for engine in engines}
    ready = {engine.replica: ReplicaState.READY for engine in engines}
    job.machine = JobMachine(state=job.machine.state, replicas=ready, running=True)
    job.notices.append("the controller restarted; the job went on meanwhile")
    return True


def _requeue(core: Core, perform: Performer, job: ActiveJob) -> None:
    if job.machine.state is not State.PENDING:
        job.notices.append("the controller restarted; finished rows are kept")
    for engine in core.fleet.of_job(job.id):
        core.fleet.idle_from_now(engine, KEEP_ADOPTED_S)
    job.plan, job.runner_name = None, ""
    perform(job, ControllerRestarted())


def _drop_ownerless(core: Core, perform: Performer) -> None:
    for engine in list(core.fleet.engines.values()):
        if engine.job is not None and engine.job not in core.jobs:
            perform.end(engine)
        elif engine.job is None and engine.idle_until is None:
            core.fleet.idle_from_now(engine, KEEP_ADOPTED_S)


def _known(core: Core) -> set[str]:
    engines = core.fleet.engines.values()
    leases = {engine.lease.name for engine in engines if engine.lease is not None}
    runners = {job.runner_name for job in core.jobs.values()}
    return leases | runners | {engine.actor for engine in engines}
