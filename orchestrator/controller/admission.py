"""Taking a job in: what can never run is refused at once, what is accepted is kept."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from orchestrator.controller.batch_work import BatchWork
from orchestrator.controller.clock import now
from orchestrator.controller.command_work import CommandWork
from orchestrator.controller.core import Core
from orchestrator.controller.demands import admission_for, plan_for
from orchestrator.controller.line import after_of, needs_of
from orchestrator.controller.performer import Performer
from orchestrator.controller.queue import Pool
from orchestrator.controller.refusals import (
    awaited,
    must_wait,
    no_plan,
    no_such_job,
    output_in_use,
    refuse_hopeless,
    refuse_too_large,
)
from orchestrator.controller.requests import Request, Work
from orchestrator.controller.store import JobRow, NewJob, NewTask, QueuedRow
from orchestrator.controller.views import accepted_view
from orchestrator.engines.model_files import ModelFiles
from orchestrator.errors import Code, OrchError
from orchestrator.lifecycle.events import DependencyFailed
from orchestrator.lifecycle.key import JobKey
from orchestrator.scheduling.plan import Diagnosis, Plan
from orchestrator.scheduling.snapshot import Snapshot
from orchestrator.scheduling.what_if import unused

IN_HAND = 256
"""Jobs that wait are kept ready up to this many; of the others the store knows."""

MAX_NUMBER = (1 << 63) - 1
"""No job has a higher one."""

_NOT_STORED = ("secrets", "wait_start_s")


@dataclass(frozen=True, slots=True)
class Checked:
    """A request that has been looked at, outside the loop's thread.

    Attributes:
        request: What was asked for.
        body: As it will be stored.
        work: The job, or its first task.
        files: The model's, if it has one.
    """

    request: Request
    body: Mapping[str, Any]
    work: Work
    files: ModelFiles | None


class Admission:
    """Accepts jobs. `check` belongs to API threads, `accept` to the loop's."""

    def __init__(
        self, core: Core, perform: Performer, snapshot: Callable[[], Snapshot]
    ) -> None:
        """Begin.

        Args:
            core: The controller's state.
            perform: Carries out what machines say.
            snapshot: Reads the GPUs; not to be called on the loop's thread.
        """
        self._core = core
        self._perform = perform
        self._snapshot = snapshot

    def look(self, body: Mapping[str, Any]) -> Checked:
        """Read a request and look at the files it names.

        Raises:
            OrchError: E103, E2xx.
        """
        request = Request.of(body)
        if request.snapshot and not self._core.snapshots.has(request.snapshot):
            raise OrchError.of(
                Code.BAD_VALUE, "the job's code was not sent before the job itself"
            )
        missing = sorted(set(request.job.secrets) - set(request.secrets))
        if missing:
            raise OrchError.of(
                Code.MISSING_FIELD, f"the job came without its secret {missing[0]}"
            )
        work = request.work(self._core.snapshots, 0 if request.tasks else -1)
        files = work.check() if isinstance(work, BatchWork) else None
        kept = {key: part for key, part in body.items() if key not in _NOT_STORED}
        return Checked(request, kept, work, files)

    def plan(self, checked: Checked, *, assume_idle: bool = False) -> Plan | Diagnosis:
        """What would happen on the cluster as it is now, or with nothing on it.

        Raises:
            OrchError: E103, E2xx; E203 for a command, which has no plan.
        """
        if not isinstance(checked.work, BatchWork):
            raise no_plan()
        snapshot = self._snapshot()
        return plan_for(
            self._core.store,
            checked.work,
            checked.files,
            unused(snapshot) if assume_idle else snapshot,
        )

    def check(self, body: Mapping[str, Any]) -> Checked:
        """Look whether the job can be accepted.

        Raises:
            OrchError: E101 if it can never fit, or not now where it must; E103,
                E2xx, E304.
        """
        checked = self.look(body)
        request, work = checked.request, checked.work
        output = request.output(0 if request.tasks else -1)
        if isinstance(work, BatchWork):
            answer = admission_for(
                self._core.store, work, checked.files, self._snapshot()
            )
            refuse_hopeless(answer, now=request.now)
            work.check_output(output, checked.files)
        else:
            refuse_too_large(work.needs, self._core.rooms)
            work.check_output(output)
        return checked

    def accept(self, checked: Checked) -> JobKey:
        """Store the job and let it wait; when this returns, no crash loses it.

        Raises:
            OrchError: E301, E304: nothing is stored.
        """
        request, core = checked.request, self._core
        for number in awaited(request.job):
            if number > MAX_NUMBER or core.state_of(JobKey(number)) is None:
                raise no_such_job(number)
        if request.now:
            self._refuse_to_wait(checked)
        if isinstance(checked.work, BatchWork):
            self._check_unused(request)
        with core.store.batch(durable=True):
            row = core.store.accept(_new_job(checked))
            self._save_view(row, checked)
        core.keep_request(row.key.number, replace(request, secrets={}, now=False))
        for task in range(row.tasks) if row.tasks else (-1,):
            self._queue(row, JobKey(row.key.number, task), checked)
        return row.key

    # --- inside -----------------------------------------------------------------------

    def _refuse_to_wait(self, checked: Checked) -> None:
        why = self._waits_for(checked)
        if why:
            raise must_wait(why)

    def _waits_for(self, checked: Checked) -> str:
        """Why a job would not start at once, as far as the queue knows."""
        core, work = self._core, checked.work
        for number in awaited(checked.request.job):
            state = core.state_of(JobKey(number))
            if state is not None and not state.final:
                return f"job {number}, which it comes after, is {state}"
        if before := core.queue.window(Pool(needs_of(work)["pool"]), 1):
            return f"job {before[0].key} waits before it"
        if isinstance(work, CommandWork) and not self._perform.seats.has_room(
            work.needs
        ):
            return "no node has enough cores and memory free"
        return ""

    def _check_unused(self, request: Request) -> None:
        output = request.output()
        if "{id}" in output:
            return
        other = self._core.store.writing_to(output)
        if other is not None and other.number not in awaited(request.job):
            raise output_in_use(output, other)

    def _save_view(self, row: JobRow, checked: Checked) -> None:
        # As the file has it: what the tasks put in its place is theirs.
        whole = checked.request.work(self._core.snapshots)
        view = accepted_view(row, checked.request, whole)
        self._core.store.save_view(row.key, view)

    def _queue(self, whole: JobRow, key: JobKey, checked: Checked) -> None:
        core = self._core
        job = core.job(key) if len(core.jobs) < IN_HAND and not key.is_task else None
        if job is not None:
            job.files, job.looked = checked.files, True
            core.changed(job)
        needs = needs_of(checked.work)
        limit = checked.request.job.array
        row = QueuedRow(
            key=key,
            priority=whole.priority,
            # Tasks follow their array, as the store has them.
            seq=whole.seq + key.task + 1,
            not_before=None,
            has_after=bool(whole.after),
            max_parallel=limit.max_parallel if limit else None,
            needs=needs,
        )
        wrong = self._perform.line.add_stored(row, whole.after)
        if wrong is not None:
            waiting = core.job(key)
            assert waiting is not None
            self._perform(waiting, DependencyFailed(JobKey(wrong[0]), wrong[1]))
            return
        self._perform.limits.queued(key, checked.request.job, 1, whole.created_at)


def _new_job(checked: Checked) -> NewJob:
    request, job = checked.request, checked.request.job
    limit = job.array.max_parallel if job.array else None
    tasks = (
        NewTask(f"{job.name}", request.output(task)) for task in range(request.tasks)
    )
    return NewJob(
        kind=job.kind,
        name=job.name,
        request=checked.body,
        output=request.output(),
        created_at=now(),
        run=uuid.uuid4().hex,
        user=request.user,
        priority=job.priority,
        after=after_of(job),
        max_parallel=limit,
        tasks=tuple(tasks),
        secrets=request.secrets,
        needs=needs_of(checked.work),
    )
