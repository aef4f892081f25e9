"""Following a job across dropped connections and a controller that restarts."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Protocol

from orchestrator.client.views import JobView
from orchestrator.errors import Code, OrchError

POLL_SECONDS = 25.0
PATIENCE_SECONDS = 30.0
RETRY_SECONDS = 0.25


class Watched(Protocol):
    """What is needed of a client to follow a job."""

    def job(
        self, job_id: int, *, after: int | None = None, wait_s: float = 0
    ) -> JobView:
        """One job; with `after`, once it is newer, or after `wait_s`."""
        ...

    def reconnect(self) -> None:
        """Read the controller's address again."""
        ...


def watch(
    client: Watched, job_id: int, *, patience_s: float = PATIENCE_SECONDS
) -> Iterator[JobView]:
    """The job now, then each time it changes, to its end.

    Args:
        client: Asked again and again.
        job_id: Which job.
        patience_s: How long to go on without a controller.

    Raises:
        OrchError: E302 when patience is over; what the controller says.
    """
    view = _ask(client, job_id, None, patience_s)
    yield view
    while not view.state.final:
        newer = _ask(client, job_id, view.version, patience_s)
        # An answer that only ran out of time changes nothing.
        if newer.version != view.version:
            yield newer
        view = newer


def _ask(client: Watched, job_id: int, after: int | None, patience_s: float) -> JobView:
    deadline = time.monotonic() + patience_s
    pause = threading.Event()
    while True:
        try:
            return client.job(
                job_id, after=after, wait_s=0 if after is None else POLL_SECONDS
            )
        except OrchError as error:
            gone = error.fault.code is Code.CONTROLLER_UNREACHABLE
            if not gone or time.monotonic() >= deadline:
                raise
        pause.wait(RETRY_SECONDS)
        with suppress(OrchError):
            client.reconnect()
            # A new controller counts versions anew: take whatever it has.
            after = None
