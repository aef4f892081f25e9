"""Carries out what a job's machine says: places, attempts, endings, their records."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from typing import assert_never

from orchestrator.controller.active import ActiveJob
from orchestrator.controller.arrays import Arrays
from orchestrator.controller.clock import instant_in, now, seconds_since
from orchestrator.controller.commands import Commands
from orchestrator.controller.core import Core
from orchestrator.controller.limits import Limits
from orchestrator.controller.line import Line
from orchestrator.controller.replicas import Replicas
from orchestrator.controller.runners import Runners
from orchestrator.controller.seats import Seats
from orchestrator.controller.store import AttemptRow
from orchestrator.errors import Fault, OrchError
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
from orchestrator.lifecycle.wire import event_to_json

AGAIN_S = 1.0


class Performer:
    """Events in, machine, effects out. Lives on the loop's thread."""

    def __init__(self, core: Core, find_place: Callable[[], None]) -> None:
        self._core = core
        self._find_place = find_place
        self.limits = Limits(core, self)
        self.line = Line(core)
        self.seats = Seats(core, self, self.give_up)
        self.replicas = Replicas(core, self, find_place)
        self.runners = Runners(core, self)
        self.commands = Commands(core, self)
        self.arrays = Arrays(core, self._whole_ended)

    def __call__(self, job: ActiveJob, event: Event, *, durable: bool = False) -> None:
        """Give the event to the job's machine and carry out what it says.

        Raises:
            OrchError: E304, the disk refused what had to be durable; nothing is done.
        """
        before = job.machine.state
        for instruction in self._core.handle(job, event, durable=durable):
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
        self._tell_others(job.key, job.machine.state)

    def _tell_others(self, key: JobKey, state: State) -> None:
        """What a job's state means to its array, and to jobs that come after it."""
        if key.is_task:
            self.arrays.task_changed(key)
        elif state.final:
            self._whole_ended(key.number, state)

    def give_up(self, key: JobKey, faults: tuple[Fault, ...]) -> None:
        """What is stored of a job is none to this version: it has failed."""
        self.leave_queue([key])
        self._core.give_up(key, faults)
        self._tell_others(key, State.FAILED)

    def save_again(self) -> None:
        """Write what the disk has refused, and tell who had to wait for it."""
        for job in self._core.records.save_again():
            self._tell_others(job.key, job.machine.state)
        self.arrays.save_again()

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

    def leave_queue(self, keys: Collection[JobKey]) -> None:
        """These wait no more and hold no place in their array; no limit is kept."""
        for key in keys:
            self._core.queue.remove(key)
            self.limits.over(key)
        # Only now: the end of one may let another start, which was to go, too.
        for key in keys:
            self._core.queue.finished(key)

    def _queue(self, job: ActiveJob) -> None:
        job.not_before, job.queued_at = None, now()
        self._core.jobs[job.key] = job
        self.line.add(job)
        self.limits.queued(job.key, job.job, job.machine.attempt, now())
        self._find_place()

    def _whole_ended(self, number: int, state: State) -> None:
        """A job without tasks, or an array, is over: others may have waited for it."""
        failed = DependencyFailed(JobKey(number), state)
        never: dict[JobKey, list[JobKey]] = {}
        for key in self._core.queue.ended(number, state):
            never.setdefault(key.whole, []).append(key)
        for whole, keys in never.items():
            # One after the other, not one inside the other: chains may be long.
            self._core.loop.post(partial(self._skip, whole, keys, failed))
        self._find_place()

    def _skip(
        self, whole: JobKey, keys: list[JobKey], failed: DependencyFailed
    ) -> None:
        core = self._core
        waiting = [key for key in keys if key in core.queue]
        in_hand = any(job.key.whole == whole for job in core.jobs.values())
        if waiting and waiting[0].is_task and not in_hand:
            try:
                self._skip_tasks(whole, failed)
            except OrchError:
                # The disk refuses; they wait, and nobody else would tell them.
                again = partial(self._skip, whole, keys, failed)
                core.loop.later(AGAIN_S, again)
            return
        for key in waiting:
            try:
                job = core.job(key)
            except OrchError as error:
                self.give_up(key, error.faults)
                continue
            if job is not None:
                self(job, failed)

    def _skip_tasks(self, whole: JobKey, failed: DependencyFailed) -> None:
        """Of an array that has not begun: all at once, it may have very many."""
        core = self._core
        with core.store.batch(durable=True):
            said = event_to_json(failed)
            core.store.add_event(whole, now(), said, State.PENDING, ())
            gone = core.store.skip_pending(whole.number, now())
        self.leave_queue(gone)
        self.arrays.task_changed(whole)

    # --- attempts ---------------------------------------------------------------------

    def _retry_later(self, job: ActiveJob, retry: RetryLater) -> None:
        self._core.tally.retried(str(retry.why))
        row = self._attempt_row(job, retry.attempt - 1, retry)
        job.attempts.append(row)
        self._give_back(job, retry.state)
        job.begin_attempt(instant_in(retry.delay_s))
        self._core.records.save_ended(job)
        self.limits.retry(job, retry.delay_s)

    def _finish(self, job: ActiveJob, finish: Finish) -> None:
        job.finished_at = now()
        job.not_before = None
        self._give_back(job, finish.state)
        job.last = self._attempt_row(job, job.machine.attempt, finish)
        self._core.records.save_ended(job)
        self._core.jobs.pop(job.key, None)
        self._core.fleet.job_over(job.key)

    def _give_back(self, job: ActiveJob, state: State) -> None:
        """Whatever the attempt holds: a share of a node, GPUs, a place in its array."""
        self.commands.forget(job)
        self.seats.leave(job)
        self.replicas.leave(job, state)
        self.leave_queue([job.key])
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
