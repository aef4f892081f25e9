"""Jobs on their way to the store: what the disk refuses is written later."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from orchestrator.controller.active import ActiveJob
from orchestrator.controller.store import Standing, Store
from orchestrator.controller.views import job_view
from orchestrator.errors import Code, OrchError
from orchestrator.lifecycle.key import JobKey


class Records:
    """Writes jobs and what belongs to them. On the loop's thread.

    Attributes:
        unsaved: Jobs whose newest state the disk has refused.
    """

    def __init__(self, store: Store) -> None:
        """Begin with nothing refused."""
        self.unsaved: dict[JobKey, ActiveJob] = {}
        self._store = store
        self._late: list[Callable[[], None]] = []

    def save(self, job: ActiveJob, *, durable: bool = False) -> None:
        """Store the job as it stands."""
        job.version += 1
        machine = job.machine
        standing = Standing(
            state=machine.state,
            view=job_view(job),
            attempt=machine.attempt,
            cause=str(machine.why or "") if machine.state.final else "",
            not_before=job.not_before,
            started_at=job.started_at,
            finished_at=job.finished_at,
        )
        self._store.save(job.key, standing, durable=durable)

    @contextmanager
    def writing(self, job: ActiveJob) -> Iterator[None]:
        """Write what belongs together; what the disk refuses is written later.

        The job goes on: it has its GPUs, and its rows are on another disk perhaps.
        """
        try:
            with ExitStack() as stack:
                try:
                    stack.enter_context(self._store.batch())
                finally:
                    # A disk that refuses to begin refuses what follows, too.
                    yield
        except OrchError as error:
            if error.fault.code is not Code.WRONG_STATE:
                raise
            traceback.print_exc()
            self.unsaved[job.key] = job

    def save_ended(self, job: ActiveJob) -> None:
        """Store the job, how its attempts ended, and no secret that it had."""
        with self.writing(job):
            for attempt in [*job.attempts, *([job.last] if job.last else [])]:
                self._store.add_attempt(job.key, attempt)
            self.save(job)
            if job.machine.state.final and not job.key.is_task:
                self._store.drop_secrets(job.key)

    def write(self, act: Callable[[], None]) -> None:
        """Write what no job waits for; what the disk refuses is written later."""
        try:
            with self._store.batch():
                act()
        except OrchError as error:
            if error.fault.code is not Code.WRONG_STATE:
                raise
            traceback.print_exc()
            self._late.append(act)

    def save_again(self) -> list[ActiveJob]:
        """Write what the disk has refused; returns the jobs that it took."""
        late, self._late = self._late, []
        for act in late:
            self.write(act)
        jobs = list(self.unsaved.values())
        self.unsaved.clear()
        for job in jobs:
            self.save_ended(job)
        return [job for job in jobs if job.key not in self.unsaved]
