"""What all parts of the controller share: jobs, queue, fleet, store, cluster, loop."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from orchestrator.controller.active import ActiveJob, rules_of
from orchestrator.controller.batch_work import BatchWork
from orchestrator.controller.changes import Changes
from orchestrator.controller.clock import now
from orchestrator.controller.fleet import Fleet
from orchestrator.controller.loop import Loop
from orchestrator.controller.queue import JobQueue
from orchestrator.controller.records import Records
from orchestrator.controller.requests import Request
from orchestrator.controller.snapshots import Snapshots
from orchestrator.controller.store import JobRow, Standing, Store
from orchestrator.controller.tally import Tally
from orchestrator.controller.views import job_view, public
from orchestrator.errors import Fault
from orchestrator.lifecycle.causes import main_cause
from orchestrator.lifecycle.events import Event
from orchestrator.lifecycle.instructions import Instruction
from orchestrator.lifecycle.key import JobKey
from orchestrator.lifecycle.machine import JobMachine, Rules
from orchestrator.lifecycle.states import State
from orchestrator.lifecycle.wire import event_to_json, instruction_text
from orchestrator.runtime.cluster import Cluster
from orchestrator.runtime.node_agents import NodeRoom
from orchestrator.scheduling.snapshot import Gpu

REQUESTS_KEPT = 64


@dataclass
class Core:
    """The controller's state.

    `jobs`, `queue`, `fleet` and `gpus` belong to the loop's thread. Of the jobs that
    wait most are only in the store and in `queue`; `jobs` has those in hand.
    """

    store: Store
    cluster: Cluster
    state: Path
    loop: Loop = field(default_factory=Loop)
    fleet: Fleet = field(default_factory=Fleet)
    changes: Changes = field(default_factory=Changes)
    queue: JobQueue = field(default_factory=JobQueue)
    tally: Tally = field(default_factory=Tally)
    jobs: dict[JobKey, ActiveJob] = field(default_factory=dict)
    gpus: tuple[Gpu, ...] = ()
    rooms: tuple[NodeRoom, ...] = ()
    """What the nodes have for commands, as last reported."""

    def __post_init__(self) -> None:
        self.snapshots = Snapshots(self.state / "snapshots")
        self.records = Records(self.store)
        self._requests: dict[int, Request] = {}

    # --- jobs -------------------------------------------------------------------------

    def job(self, key: JobKey) -> ActiveJob | None:
        """A job in hand, or taken in hand now; `None`: there is none such.

        Raises:
            OrchError: What was stored is no job to this version.
        """
        active = self._known(key)
        if active is not None:
            return active
        row = self.store.job(key)
        if row is None or row.tasks:
            return None
        active = self.restored(row)
        if not row.state.final:
            self.jobs[key] = active
        return active

    def state_of(self, key: JobKey) -> State | None:
        """Where a job stands; `None`: there is none such."""
        active = self._known(key)
        return active.machine.state if active else self.store.state(key)

    def _known(self, key: JobKey) -> ActiveJob | None:
        """A job of which the store does not know all."""
        return self.jobs.get(key) or self.records.unsaved.get(key)

    def is_newest(self, job: ActiveJob) -> bool:
        """Whether nobody has taken the job in hand anew: then its word counts."""
        known, row = self._known(job.key), self.store.job(job.key)
        if known is not None:
            return known is job
        return row is not None and row.attempt == job.machine.attempt

    def restored(self, row: JobRow) -> ActiveJob:
        """A job as the store has it.

        Raises:
            OrchError: E203, it is no job to this version.
        """
        work = self.request(row.key.number).work(self.snapshots, row.key.task)
        if isinstance(work, BatchWork) and work.job.secrets:
            work = replace(work, owner=row.run)
        return ActiveJob(
            row=row,
            work=work,
            machine=_machine_of(row, rules_of(work.job)),
            run=row.view.get("run") or _run_of(row),
            nodes={(a, rank): node for a, rank, node in row.view.get("nodes", ())},
            attempts=self.store.attempts(row.key),
            notices=list(row.view.get("told", ())),
            version=row.view.get("version", 0) + 1,
            not_before=row.not_before,
            queued_at=row.created_at,
            started_at=row.started_at,
            finished_at=row.finished_at,
        )

    def request(self, number: int) -> Request:
        """What was asked for; the newest few are kept at hand.

        Raises:
            OrchError: E203, it is no request to this version.
        """
        known = self._requests.get(number)
        if known is None:
            known = Request.of(self.store.request(number))
            self.keep_request(number, known)
        return known

    def keep_request(self, number: int, request: Request) -> None:
        """Have at hand what was asked for; on the loop's thread."""
        self._requests[number] = request
        if len(self._requests) > REQUESTS_KEPT:
            del self._requests[next(iter(self._requests))]

    # --- what happens to them ---------------------------------------------------------

    def handle(
        self, job: ActiveJob, event: Event, *, durable: bool = False
    ) -> tuple[Instruction, ...]:
        """Give an event to a job's machine; store the step; return what to do.

        Raises:
            OrchError: E304, the disk refused what had to be durable.
        """
        before = job.machine.state
        instructions = job.machine.handle(event)
        state = job.machine.state
        says = [instruction_text(instruction) for instruction in instructions]
        # What ends an attempt is stored together with how it ended.
        over = state.final or job.machine.waits_for_retry
        with self.store.batch(durable=True) if durable else self.records.writing(job):
            self.store.add_event(job.key, now(), event_to_json(event), state, says)
            if state is not before and not over:
                self.records.save(job)
        return instructions

    def changed(self, job: ActiveJob) -> None:
        """Show the job as it is now. Between calls the API shows what it was."""
        job.version += 1
        job.view = job_view(job)
        self.changes.notify(job.key)

    def shown(self, key: JobKey) -> dict[str, object] | None:
        """What the API may show of a job in hand."""
        active = self._known(key)
        return public(active.view) if active is not None and active.view else None

    def give_up(self, key: JobKey, faults: tuple[Fault, ...]) -> None:
        """What another version of this program stored is not a job to this one."""
        row = self.store.job(key)
        shown = self.jobs.pop(key, None)
        if row is not None:
            before = max(row.view.get("version", 0), shown.version if shown else 0)
            view = {**row.view, "faults": [fault.to_json() for fault in faults]}
            standing = Standing(
                state=State.FAILED,
                view={**view, "version": before + 1},
                attempt=row.attempt,
                cause=str(main_cause(faults)),
                started_at=row.started_at,
                finished_at=now(),
            )
            self.store.save(key, standing)
            if not key.is_task:
                self.store.drop_secrets(key)
        self.changes.notify(key)


def _machine_of(row: JobRow, rules: Rules) -> JobMachine:
    told = row.view.get("machine") or JobMachine(rules).to_json()
    if row.state.final and told["state"] != row.state:
        # Tasks that wait are ended all at once, without a machine.
        why = row.cause or None
        told = {**told, "state": row.state, "why": why, "waits_for_retry": False}
    return JobMachine.restored(rules, told)


def _run_of(row: JobRow) -> str:
    """The tasks of an array are a run each."""
    return f"{row.run}.{row.key.task}" if row.key.is_task else row.run
