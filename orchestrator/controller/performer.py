"""Carries out what a job's machine says: places, attempts, endings, their records."""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

from orchestrator.controller.active import ActiveJob
from orchestrator.controller.arrays import Arrays
from orchestrator.controller.commands import Commands
from orchestrator.controller.core import Core, instant_in, now, seconds_since
from orchestrator.controller.limits import Limits
from orchestrator.controller.line import Line
from orchestrator.controller.replicas import Replicas
from orchestrator.controller.runners import Runners
from orchestrator.controller.seats import Seats
from orchestrator.controller.store import AttemptRow
from orchestrator.lifecycle.events import DependencyFailed, Event
from orchestrator.lifecycle.instructions import (
    ArmGrace,
    DropReplica,
    FindPlace,
    Finish,
    Instruction,
    OfferReplica,
    RetryLater,
    StartCommand,
    StartReplica,
    StartRunner,
    StopCommand,
    StopRunner,
)
from orchestrator.lifecycle.key import JobKey
from orchestrator.lifecycle.states import State


class Performer:
    """Events in, machine, effects out. Lives on the loop's thread."""

    def __init__(self, core: Core, find_place: Callable[[], None]) -> None:
        self._core = core
        self._find_place = find_place
        self.limits = Limits(core, self)
        self.line = Line(core)
        self.seats = Seats(core, self)
        self.replicas = Replicas(core, self, find_place)
        self.runners = Runners(core, self)
        self.commands = Commands(core, self)
        self.arrays = Arrays(core, self._whole_ended)

    def __call__(self, job: ActiveJob, event: Event) -> None:
        """Give the event to the job's machine and carry out what it says."""
        before = job.machine.state
        for instruction in self._core.handle(job, event):
            self._do(job, instruction)
        if job.machine.state is not before:
            self._new_state(job)
        # Only now: who sees a job ended must also see its engines free.
        self._core.changed(job)

    def _new_state(self, job: ActiveJob) -> None:
        if job.machine.state is not State.PENDING:
            # Cancelled, or over, while it waited: it waits no more.
            self._core.queue.remove(job.key)
        if job.machine.state is State.LOADING:
            self._core.tally.began(seconds_since(job.queued_at))
        self.limits.changed(job)
        if job.key.is_task:
            with self._core.writing(job):
                self.arrays.task_changed(job.key)
        elif job.machine.state.final:
            self._whole_ended(job.key.number, job.machine.state)

    def _do(self, job: ActiveJob, instruction: Instruction) -> None:  # noqa: C901 - a table
        match instruction:
            case FindPlace():
                self._queue(job)
            case StartReplica():
                self.replicas.start(job, instruction.replica)
            case DropReplica():
                self.replicas.drop(job, instruction.replica)
            case StartRunner():
                self.runners.start(job)
            case OfferReplica():
                self.runners.offer(job, self.replicas.of(job, instruction.replica))
            case StopRunner():
                self.runners.stop(job, force=instruction.force)
            case StartCommand():
                self.commands.start(job, instruction)
            case StopCommand():
                self.commands.stop(job, instruction)
            case ArmGrace():
                self.limits.grace(job, instruction)
            case RetryLater():
                self._retry_later(job, instruction)
            case Finish():
                self._finish(job, instruction)
            case _:
                assert_never(instruction)

    # --- the queue --------------------------------------------------------------------

    def _queue(self, job: ActiveJob) -> None:
        job.not_before, job.queued_at = None, now()
        self._core.jobs[job.key] = job
        self.line.add(job)
        self.limits.queued(job.key, job.job, job.machine.attempt, now())
        self._find_place()

    def _whole_ended(self, number: int, state: State) -> None:
        """A job without tasks, or an array, is over: others may have waited for it."""
        failed = DependencyFailed(JobKey(number), state)
        for key in self._core.queue.ended(number, state):
            waiting = self._core.job(key)
            if waiting is not None:
                self(waiting, failed)
        self._find_place()

    # --- attempts ---------------------------------------------------------------------

    def _retry_later(self, job: ActiveJob, retry: RetryLater) -> None:
        self._core.tally.retried(str(retry.why))
        row = self._attempt_row(job, retry.attempt - 1, retry)
        self._give_back(job, retry.state)
        job.begin_attempt(instant_in(retry.delay_s))
        job.notices.append(
            f"attempt {row.attempt} ended: {row.text}; another one follows"
        )
        with self._core.writing(job):
            self._core.store.add_attempt(job.key, row)
            self._core.save(job)
        self.limits.retry(job, retry.delay_s)

    def _finish(self, job: ActiveJob, finish: Finish) -> None:
        job.finished_at = now()
        job.not_before = None
        self._give_back(job, finish.state)
        row = self._attempt_row(job, job.machine.attempt, finish)
        with self._core.writing(job):
            self._core.store.add_attempt(job.key, row)
            self._core.save(job)
            if not job.key.is_task:
                self._core.store.drop_secrets(job.key)
        self._core.jobs.pop(job.key, None)

    def _give_back(self, job: ActiveJob, state: State) -> None:
        """Whatever the attempt holds: a share of a node, GPUs, a place in its array."""
        self.commands.forget(job)
        self.seats.leave(job)
        self.replicas.leave(job, state)
        self._core.queue.remove(job.key)
        self._core.queue.finished(job.key)
        self._find_place()

    def _attempt_row(
        self, job: ActiveJob, attempt: int, end: RetryLater | Finish
    ) -> AttemptRow:
        return AttemptRow(
            attempt=attempt,
            state=end.state,
            cause=str(end.why or ""),
            text=end.cause,
            started_at=job.started_at,
            finished_at=now(),
        )
