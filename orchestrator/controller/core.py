"""What all parts of the controller share: jobs, fleet, store, cluster, loop."""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from orchestrator.controller.fleet import Fleet
from orchestrator.controller.loop import Loop
from orchestrator.controller.store import Store
from orchestrator.controller.views import ActiveJob, job_view
from orchestrator.lifecycle.messages import Event, Instruction
from orchestrator.runtime.cluster import Cluster
from orchestrator.scheduling.snapshot import Gpu


def now() -> str:
    """This instant, RFC 3339 in UTC."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


class Changes:
    """Wakes API calls that wait for a job to change."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[int, set[tuple[asyncio.AbstractEventLoop, asyncio.Event]]]
        self._waiting = defaultdict(set)

    def notify(self, job: int) -> None:
        """The job changed. Call from any thread."""
        with self._lock:
            waiting = list(self._waiting.get(job, ()))
        for loop, event in waiting:
            loop.call_soon_threadsafe(event.set)

    def listen(self, job: int) -> asyncio.Event:
        """An event that the next change of this job sets."""
        event = asyncio.Event()
        with self._lock:
            self._waiting[job].add((asyncio.get_running_loop(), event))
        return event

    def forget(self, job: int, event: asyncio.Event) -> None:
        """Listen no more."""
        with self._lock:
            kept = {(loop, e) for loop, e in self._waiting[job] if e is not event}
            if kept:
                self._waiting[job] = kept
            else:
                del self._waiting[job]


@dataclass
class Core:
    """The controller's state; `jobs`, `fleet`, `gpus` belong to the loop's thread."""

    store: Store
    cluster: Cluster
    state: Path
    loop: Loop = field(default_factory=Loop)
    fleet: Fleet = field(default_factory=Fleet)
    changes: Changes = field(default_factory=Changes)
    jobs: dict[int, ActiveJob] = field(default_factory=dict)
    gpus: tuple[Gpu, ...] = ()

    def handle(self, job: ActiveJob, event: Event) -> tuple[Instruction, ...]:
        """Give an event to a job's machine; store the step; return what to do."""
        before = job.machine.state
        instructions = job.machine.handle(event)
        state = job.machine.state
        said = "; ".join(repr(instruction) for instruction in instructions)
        self.store.add_event(job.id, now(), repr(event), state, said)
        if state is not before and not state.final:
            self.save(job)
        return instructions

    def changed(self, job: ActiveJob) -> None:
        """Show the job as it is now. Between calls the API shows what it was."""
        job.version += 1
        job.view = job_view(job)
        self.changes.notify(job.id)

    def save(self, job: ActiveJob) -> None:
        """Store the job as it stands."""
        job.version += 1
        state, view = job.machine.state, job_view(job)
        self.store.save_job(job.id, state, view, job.started_at, job.finished_at)
