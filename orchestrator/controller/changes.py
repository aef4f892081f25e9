"""Who waits for a job to change, across the threads of loop and API."""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict

from orchestrator.lifecycle.key import JobKey


class Changes:
    """Wakes API calls that wait for a job to change."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[
            JobKey, set[tuple[asyncio.AbstractEventLoop, asyncio.Event]]
        ] = defaultdict(set)

    def notify(self, job: JobKey) -> None:
        """The job changed. Call from any thread."""
        with self._lock:
            waiting = list(self._waiting.get(job, ()))
        for loop, event in waiting:
            loop.call_soon_threadsafe(event.set)

    def listen(self, job: JobKey) -> asyncio.Event:
        """An event that is set at the next change; give it back to `forget`."""
        event = asyncio.Event()
        with self._lock:
            self._waiting[job].add((asyncio.get_running_loop(), event))
        return event

    def forget(self, job: JobKey, event: asyncio.Event) -> None:
        """Nobody waits for this event any more."""
        with self._lock:
            kept = {pair for pair in self._waiting[job] if pair[1] is not event}
            if kept:
                self._waiting[job] = kept
            else:
                del self._waiting[job]
