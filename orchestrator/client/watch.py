"""Following a job across dropped connections and a controller that restarts."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Container, Iterator
from contextlib import suppress
from typing import Protocol, TypeVar

from orchestrator.client.views import JobView
from orchestrator.errors import Code, OrchError
from orchestrator.lifecycle.key import JobKey

POLL_SECONDS = 25.0
PATIENCE_SECONDS = 30.0
RETRY_SECONDS = 0.25

T = TypeVar("T")


class Reconnects(Protocol):
    """What can be tried again where the controller may be."""

    def reconnect(self) -> None:
        """Read the controller's address again."""
        ...


class Watched(Reconnects, Protocol):
    """What is needed of a client to follow a job."""

    def job(
        self, key: JobKey | int, *, after: int | None = None, wait_s: float = 0
    ) -> JobView:
        """One job; with `after`, once it is newer, or after `wait_s`."""
        ...


def watch(
    client: Watched, key: JobKey | int, *, patience_s: float = PATIENCE_SECONDS
) -> Iterator[JobView]:
    """The job now, then each time it changes, to its end.

    Args:
        client: Asked again and again.
        key: Which job.
        patience_s: How long to go on without a controller.

    Raises:
        OrchError: E302 when patience is over; what the controller says.
    """
    view = _ask(client, key, None, patience_s)
    yield view
    while not view.state.final:
        newer = _ask(client, key, view.version, patience_s)
        # An answer that only ran out of time changes nothing.
        if newer.version != view.version:
            yield newer
        view = newer


def patiently(
    client: Reconnects,
    ask: Callable[[bool], T],
    patience_s: float,
    gone: Container[Code] = (Code.CONTROLLER_UNREACHABLE,),
) -> T:
    """What `ask` returns, tried again while there is no controller.

    Args:
        client: Reads the address anew before each further attempt.
        ask: Asks; it is told whether it is the first attempt.
        patience_s: How long to go on.
        gone: What says that somebody is away who will be back.

    Raises:
        OrchError: One of `gone` when patience is over; any other at once.
    """
    deadline = time.monotonic() + patience_s
    pause = threading.Event()
    first = True
    while True:
        try:
            return ask(first)
        except OrchError as error:
            if error.fault.code not in gone or time.monotonic() >= deadline:
                raise
        pause.wait(RETRY_SECONDS)
        first = False
        with suppress(OrchError):
            client.reconnect()


def _ask(
    client: Watched, key: JobKey | int, after: int | None, patience_s: float
) -> JobView:
    def ask(first: bool) -> JobView:  # noqa: FBT001
        # A new controller counts versions anew: take whatever it has.
        known = after if first else None
        wait_s = 0.0 if known is None else POLL_SECONDS
        return client.job(key, after=known, wait_s=wait_s)

    return patiently(client, ask, patience_s)
