"""What happens while jobs are followed, in one queue: views, logs, and signals."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from types import FrameType
from typing import TypeAlias

from orchestrator.client.client import Client, Key
from orchestrator.client.logs import FROM_THE_START, Piece, Start, read_log
from orchestrator.client.views import JobView
from orchestrator.errors import Code, OrchError


@dataclass(frozen=True, slots=True)
class Signalled:
    """The process got a signal."""

    number: int


@dataclass(frozen=True, slots=True)
class LogOver:
    """A log that was followed has come to its end, or there is none."""

    rank: int


Event: TypeAlias = "JobView | Piece | LogOver | Signalled"

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Feed:
    """Follows on threads, so that the main one is free to listen."""

    def __init__(self, client: Client) -> None:
        self._client = client
        # SimpleQueue.put may be called from a signal handler; Queue.put may not.
        self._events: SimpleQueue[Event | Exception] = SimpleQueue()

    def follow(self, key: Key) -> None:
        """Views of a job from now on are events, to its end."""
        self._start(self._client.watch(key))

    def follow_log(
        self, key: Key, rank: int, attempt: int, start: Start = FROM_THE_START
    ) -> None:
        """Pieces of a log are events, then `LogOver`."""
        pieces = read_log(self._client, key, rank, attempt, start, follow=True)
        self._start(_with_end(pieces, rank))

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

    def _start(self, events: Iterable[Event]) -> None:
        threading.Thread(target=self._put_all, args=(events,), daemon=True).start()

    def _put_all(self, events: Iterable[Event]) -> None:
        try:
            for event in events:
                self._events.put(event)
        except Exception as error:  # noqa: BLE001  it is raised again by `next`
            self._events.put(error)


def _with_end(pieces: Iterable[Piece], rank: int) -> Iterator[Event]:
    try:
        yield from pieces
    except OrchError as error:
        # It ended before it had a log.
        if error.fault.code is not Code.NO_SUCH_JOB:
            raise
    yield LogOver(rank)
