"""What people want of jobs that are there: an end, or another attempt."""

from __future__ import annotations

import uuid

from orchestrator.controller.active import ActiveJob
from orchestrator.controller.batch_work import BatchWork
from orchestrator.controller.clock import now
from orchestrator.controller.core import Core
from orchestrator.controller.performer import Performer
from orchestrator.controller.store import JobRow
from orchestrator.errors import Code, OrchError
from orchestrator.lifecycle.events import CancelRequested, RetryMode, RetryRequested
from orchestrator.lifecycle.key import JobKey
from orchestrator.lifecycle.states import State
from orchestrator.lifecycle.wire import event_to_json

_FOR_RETRY = (State.FAILED, State.LOST, State.TIMEOUT, State.CANCELLED, State.SKIPPED)


class Wishes:
    """Cancel and retry. On the loop's thread."""

    def __init__(self, core: Core, perform: Performer) -> None:
        self._core = core
        self._perform = perform

    def cancel(self, key: JobKey, wish: CancelRequested) -> None:
        """Ask a job to end; of an array: its tasks. What is over stays as it is.

        Raises:
            OrchError: E301, there is no such job.
        """
        row = self._row(key)
        if row.tasks:
            self._cancel_tasks(row, wish)
            return
        job = None if row.state.final else self._core.job(key)
        if job is not None:
            self._cancel(job, wish)

    def retry(self, key: JobKey, mode: RetryMode) -> None:
        """Give a job that is over another attempt.

        Raises:
            OrchError: E301, there is no such job; E304, it is not over, or nothing
                of it failed.
        """
        row = self._ended(key)
        self._retry(row, mode)

    def failed_tasks(self, key: JobKey) -> list[JobKey]:
        """The tasks of an array that a retry gives another attempt.

        Raises:
            OrchError: E301, there is no such job; E304, it is not over, or nothing
                of it failed.
        """
        row = self._ended(key)
        if not row.tasks:
            return []
        tasks = self._core.store.tasks(key.number, states=_FOR_RETRY, limit=-1)
        if not tasks:
            raise OrchError.of(
                Code.WRONG_STATE, f"no task of job {key} failed: nothing to retry"
            )
        return [task.key for task in tasks]

    # --- inside -----------------------------------------------------------------------

    def _row(self, key: JobKey) -> JobRow:
        row = self._core.store.job(key)
        if row is None:
            raise OrchError.of(
                Code.NO_SUCH_JOB, f"there is no job {key}", fix="orch status -a"
            )
        return row

    def _ended(self, key: JobKey) -> JobRow:
        row = self._row(key)
        if not row.state.final:
            raise OrchError.of(
                Code.WRONG_STATE,
                f"job {key} is {row.state}: only a job that is over can be retried",
                fix=f"orch wait {key}, or orch cancel {key}",
            )
        return row

    def _cancel_tasks(self, row: JobRow, wish: CancelRequested) -> None:
        core, number = self._core, row.key.number
        in_hand = [job for job in core.jobs.values() if job.key.number == number]
        with core.store.batch(durable=True):
            if not row.state.final:
                said = event_to_json(wish)
                core.store.add_event(row.key, now(), said, row.state, ())
            gone = core.store.cancel_pending(number, now(), {})
        # All of them leave the queue first, or the end of one would start another.
        for key in gone:
            core.queue.remove(key)
            self._perform.limits.over(key)
        for job in in_hand:
            self._cancel(job, wish)
        for key in gone:
            core.queue.finished(key)
        if gone:
            self._perform.arrays.task_changed(gone[-1])

    def _cancel(self, job: ActiveJob, wish: CancelRequested) -> None:
        self._perform(job, wish)
        if job.machine.state is State.STOPPING:
            with self._core.records.writing(job):
                self._core.records.save(job, durable=True)

    def _retry(self, row: JobRow, mode: RetryMode) -> None:
        core = self._core
        job = core.restored(row)
        if job.job.secrets and not core.store.secrets(row.key):
            raise OrchError.of(
                Code.WRONG_STATE,
                f"the secrets of job {row.key} were forgotten when it was over",
                fix="submit it again",
            )
        if isinstance(job.work, BatchWork):
            _prepare(job, mode)
        elif mode is RetryMode.FAILED and row.state is State.SUCCEEDED:
            raise OrchError.of(Code.WRONG_STATE, f"job {row.key} did not fail")
        job.begin_attempt(None)
        self._perform(job, RetryRequested(mode), durable=True)


def _prepare(job: ActiveJob, mode: RetryMode) -> None:
    """Results that were put in place are there for another run to build on."""
    if job.row.view.get("results") or mode is RetryMode.SCRATCH:
        job.run = uuid.uuid4().hex
    if mode is RetryMode.SCRATCH and isinstance(job.work, BatchWork):
        job.work = job.work.from_scratch()
