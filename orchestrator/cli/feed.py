"""What happens while a job is followed, in one queue: its views, and signals."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from types import FrameType
from typing import TypeAlias

from orchestrator.client.client import Client
from orchestrator.client.views import JobView


@dataclass(frozen=True, slots=True)
class Signalled:
    """The process got a signal."""

    number: int


Event: TypeAlias = "JobView | Signalled"

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Feed:
    """Follows one job on a thread, so that the main one is free to listen."""

    def __init__(self, client: Client, job_id: int) -> None:
        self._thread = threading.Thread(
            target=self._watch, args=(client, job_id), daemon=True
        )
        # SimpleQueue.put may be called from a signal handler; Queue.put may not.
        self._events: SimpleQueue[Event | Exception] = SimpleQueue()

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def next(self, timeout_s: float) -> Event | None:
        """The next event; `None` if there is none within `timeout_s`.

        Raises:
            OrchError: The job can no longer be followed.
        """
        try:
            event = self._events.get(timeout=timeout_s)
        except Empty:
            return None
        if isinstance(event, Exception):
            raise event
        return event

    @contextmanager
    def signals(self) -> Iterator[None]:
        """While inside, signals are events: nothing is interrupted half-way."""

        def put(number: int, _frame: FrameType | None) -> None:
            self._events.put(Signalled(number))

        before = {number: signal.signal(number, put) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _watch(self, client: Client, job_id: int) -> None:
        try:
            for view in client.watch(job_id):
                self._events.put(view)
        except Exception as error:  # noqa: BLE001  it is raised again by `next`
            self._events.put(error)
