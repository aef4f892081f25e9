"""The time limits of job files, and what is due after a while: grace and retries."""

from __future__ import annotations

from collections.abc import Callable

from orchestrator.controller.active import ActiveJob
from orchestrator.controller.clock import now, seconds_since
from orchestrator.controller.core import Core
from orchestrator.controller.timers import Timer
from orchestrator.lifecycle.events import Event, GraceOver, Phase, RetryDue, TimedOut
from orchestrator.lifecycle.instructions import ArmGrace
from orchestrator.lifecycle.key import JobKey
from orchestrator.lifecycle.states import State
from orchestrator.spec.job import Job


class Limits:
    """Timers of jobs. One that is too late is none: the machine knows."""

    def __init__(self, core: Core, perform: Callable[[ActiveJob, Event], None]) -> None:
        self._core = core
        self._perform = perform
        self._armed: dict[JobKey, set[Timer]] = {}

    def queued(self, key: JobKey, job: Job, attempt: int, since: str) -> None:
        """A job waits for its place, since then."""
        limit_s = job.timeout.queue
        if limit_s is not None:
            left_s = limit_s - seconds_since(since)
            self._arm(key, left_s, TimedOut(attempt, Phase.QUEUE, limit_s))

    def changed(self, job: ActiveJob) -> None:
        """A job came into another state."""
        timeout, attempt = job.job.timeout, job.machine.attempt
        state, since_s = job.machine.state, seconds_since(job.started_at or now())
        if state is State.LOADING and timeout.start is not None:
            limit = TimedOut(attempt, Phase.START, timeout.start)
            self._arm(job.key, timeout.start - since_s, limit)
        # From its place on: others count on when it gives its GPUs back.
        if state in (State.LOADING, State.RUNNING) and timeout.run is not None:
            limit = TimedOut(attempt, Phase.RUN, timeout.run)
            self._arm(job.key, timeout.run - since_s, limit)

    def grace(self, job: ActiveJob, arm: ArmGrace) -> None:
        """What was asked to stop has so long to do it."""
        self._arm(job.key, arm.seconds, GraceOver(arm.attempt))

    def retry(self, job: ActiveJob, delay_s: float) -> None:
        """The next attempt comes after a while."""
        self._arm(job.key, delay_s, RetryDue(job.machine.attempt))

    def over(self, key: JobKey) -> None:
        """A job's attempt is over: what it was given time for matters no more."""
        for timer in self._armed.pop(key, ()):
            timer.cancel()

    def _arm(self, key: JobKey, delay_s: float, event: Event) -> None:
        def due() -> None:
            self._disarm(key, timer)
            self._due(key, event)

        timer = self._core.loop.later(delay_s, due)
        self._armed.setdefault(key, set()).add(timer)

    def _disarm(self, key: JobKey, timer: Timer) -> None:
        armed = self._armed.get(key, set())
        armed.discard(timer)
        if not armed:
            self._armed.pop(key, None)

    def _due(self, key: JobKey, event: Event) -> None:
        waits = key in self._core.queue
        job = self._core.job(key) if waits else self._core.jobs.get(key)
        # A limit that was kept is no part of the job's story.
        if job is not None and not job.machine.ignores(event):
            self._perform(job, event)
