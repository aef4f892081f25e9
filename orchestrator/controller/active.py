"""A job that the controller's loop has in its hands: its machine and all around it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from orchestrator.controller.requests import Work
from orchestrator.controller.store import AttemptRow, JobRow
from orchestrator.engines.model_files import ModelFiles
from orchestrator.errors import Fault
from orchestrator.lifecycle.key import JobKey
from orchestrator.lifecycle.machine import JobMachine, Rules
from orchestrator.runtime.progress import RunnerView
from orchestrator.scheduling.plan import Diagnosis, Plan
from orchestrator.scheduling.waiting import Waits
from orchestrator.spec.job import Job

NOTICES_KEPT = 100


@dataclass(slots=True)
class Running:
    """A command on its node.

    Attributes:
        node_id: Ray's name of the node; empty before it has one.
        node: The node's name for people.
        pid: Its first process; 0 until it runs.
        exit_code: What it returned.
        signal: What ended it instead.
    """

    node_id: str = ""
    node: str = ""
    pid: int = 0
    exit_code: int | None = None
    signal: str | None = None


@dataclass(slots=True)
class ActiveJob:
    """A job that is not over, or a task of one.

    Attributes:
        row: As it was stored when it was taken in hand.
        work: What is to be done.
        machine: Its life so far.
        files: The model's, once somebody has looked.
        looked: Somebody has.
        plan: Where it runs, once it has a place.
        diagnosis: Why no GPU takes it, while that is so.
        waits: Why it waits, as the queue says.
        runner: The runner's newest word.
        runner_name: Its name in Ray; a new one after each death.
        names: Replica number -> name of its engine.
        details: Replica number -> a clause for people.
        pids: Replica number -> process of its engine.
        nodes: Attempt and rank -> node on which its log is.
        command: Where its command runs.
        run: Unique over all jobs of all time; a new one when results are made anew.
        attempts: Those before this one.
        last: How this one ended, once it has.
        returned: GPUs whose memory was seen free at the end, with what is free.
        queued_at: When it began to wait for the place it has or wants.
        notices: What people should know, oldest first.
        version: Grows with every change.
        view: What the API shows; replaced whole at every change.
        lack: How GPU memory last ran out under it.
        stopping: Somebody wants it stopped, by force or not, perhaps before it has a
            runner.
    """

    row: JobRow
    work: Work
    machine: JobMachine
    run: str
    files: ModelFiles | None = None
    looked: bool = False
    plan: Plan | None = None
    diagnosis: Diagnosis | None = None
    waits: tuple[Waits, ...] = ()
    runner: RunnerView = field(default_factory=RunnerView)
    runner_name: str = ""
    names: dict[int, str] = field(default_factory=dict)
    details: dict[int, str] = field(default_factory=dict)
    pids: dict[int, int] = field(default_factory=dict)
    nodes: dict[tuple[int, int], str] = field(default_factory=dict)
    command: Running = field(default_factory=Running)
    attempts: list[AttemptRow] = field(default_factory=list)
    last: AttemptRow | None = None
    returned: list[tuple[str, int]] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    version: int = 0
    not_before: str | None = None
    queued_at: str = ""
    started_at: str | None = None
    finished_at: str | None = None
    view: dict[str, Any] = field(default_factory=dict)
    lack: Fault | None = None
    stopping: bool | None = None

    def tell(self, notice: str) -> None:
        """Have people know this; of very many, the oldest are dropped."""
        self.notices.append(notice)
        del self.notices[:-NOTICES_KEPT]

    @property
    def key(self) -> JobKey:
        """Which job, or task."""
        return self.row.key

    @property
    def job(self) -> Job:
        """The job file."""
        return self.work.job

    def begin_attempt(self, not_before: str | None) -> None:
        """Forget what belongs to the attempt that is over."""
        self.plan, self.diagnosis, self.waits = None, None, ()
        self.runner, self.runner_name = RunnerView(), ""
        self.names, self.details, self.pids = {}, {}, {}
        self.command, self.stopping = Running(), None
        self.returned, self.last = [], None
        self.started_at = self.finished_at = None
        self.not_before = not_before


def rules_of(job: Job) -> Rules:
    """What the job file says of the job's life."""
    return Rules(job.kind, job.retry, job.grace)
