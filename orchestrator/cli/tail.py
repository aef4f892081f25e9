"""The log of a command on stdout, attempt after attempt, while its job is followed."""

from __future__ import annotations

import sys

from orchestrator.cli.feed import Feed, LogOver
from orchestrator.client.logs import Piece
from orchestrator.client.views import JobView
from orchestrator.lifecycle.states import State

_RANK = 0


class Tail:
    """Opens one log after the other, and writes what comes.

    Args:
        feed: Where the pieces come from.
        wanted: Whether there is to be a log at all.
    """

    def __init__(self, feed: Feed, *, wanted: bool) -> None:
        self._feed, self._wanted = feed, wanted
        self._attempt = 0
        self._open = False

    def look(self, job: JobView) -> None:
        """Open the next log, if one is there and none is open."""
        if self._open or not self._left(job):
            return
        self._attempt += 1
        self._open = True
        self._feed.follow_log(job.key, _RANK, self._attempt)

    def take(self, event: Piece | LogOver) -> None:
        """Write a piece as it is, or note that the log is over."""
        if isinstance(event, LogOver):
            self._open = False
        elif event.data:
            sys.stdout.flush()
            sys.stdout.buffer.write(event.data)
            sys.stdout.buffer.flush()

    def over(self, job: JobView) -> bool:
        """Nothing is left to be written."""
        return not self._open and not self._left(job)

    def _left(self, job: JobView) -> bool:
        if not self._wanted or job.command is None or job.tasks is not None:
            return False
        return self._attempt < _attempts_with_log(job)


def _attempts_with_log(job: JobView) -> int:
    began = job.started_at is not None and job.state is not State.PENDING
    return job.attempt if began else job.attempt - 1
