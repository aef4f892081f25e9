"""Waiting for a job, for a bounded time."""

from __future__ import annotations

import time

from orchestrator.client.client import Client, Key
from orchestrator.client.views import JobView
from orchestrator.client.watch import PATIENCE_SECONDS, POLL_SECONDS, patiently


def wait_for(client: Client, key: Key, timeout_s: float | None = None) -> JobView:
    """The job once it has ended, or as it is after `timeout_s` seconds.

    Raises:
        OrchError: E301, there is none; E302 after a while without a controller.
    """
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    view = patiently(client, lambda _first: client.job(key), PATIENCE_SECONDS)
    while not view.state.final:
        wait_s = POLL_SECONDS
        if deadline is not None:
            wait_s = min(wait_s, deadline - time.monotonic())
            if wait_s <= 0:
                break
        view = _newer(client, key, view.version, wait_s)
    return view


def _newer(client: Client, key: Key, version: int, wait_s: float) -> JobView:
    def ask(first: bool) -> JobView:  # noqa: FBT001
        # A new controller counts versions anew: take whatever it has.
        after = version if first else None
        return client.job(key, after=after, wait_s=wait_s if first else 0.0)

    return patiently(client, ask, PATIENCE_SECONDS)
