"""How far a job's rows are: written by the runner's threads, watched from outside."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from dataclasses import dataclass, replace
from operator import itemgetter

from orchestrator.engines.base import Held
from orchestrator.errors import Fault

RATE_WINDOW_S = 10.0


@dataclass(frozen=True, slots=True)
class RunnerView:
    """What a runner says of itself.

    Attributes:
        version: Grows with every change.
        pid: The runner's process.
        phase: `running`, `merging` or `done`.
        rows_total: Rows of the input; `None` until they are counted.
        rows_done: Rows dealt with: good, failed and reused ones.
        rows_failed: Rows in failed.jsonl.
        rows_reused: Rows taken over from an earlier run.
        rows_per_second: Over the last ten seconds.
        first_result_seconds: From the runner's start to its first finished rows.
        lost: Names of replicas that died under it, oldest first, with the cause.
        notices: What people should know, oldest first.
        held: The most memory each replica has held, by name.
        stopped: It came to rest because it was told to.
        faults: Why it failed; empty otherwise.
        results: Path of the merged results, once they are there.
    """

    version: int = 0
    pid: int = 0
    phase: str = "running"
    rows_total: int | None = None
    rows_done: int = 0
    rows_failed: int = 0
    rows_reused: int = 0
    rows_per_second: float = 0.0
    first_result_seconds: float | None = None
    lost: tuple[tuple[str, Fault], ...] = ()
    notices: tuple[str, ...] = ()
    held: tuple[tuple[str, Held], ...] = ()
    stopped: bool = False
    faults: tuple[Fault, ...] = ()
    results: str | None = None

    @property
    def eta_seconds(self) -> float | None:
        """Seconds to go at the present rate; `None` while nobody can know."""
        if self.rows_total is None or self.rows_per_second <= 0:
            return None
        return max(0, self.rows_total - self.rows_done) / self.rows_per_second


class Progress:
    """The one place where a runner's threads say what happened."""

    def __init__(self) -> None:
        self._view = RunnerView()
        self._changed = threading.Condition()
        self._started = time.monotonic()
        self._recent: deque[tuple[float, int]] = deque()

    def begin(self) -> None:
        """Time counts from here."""
        self._started = time.monotonic()
        self.update(pid=os.getpid())

    @property
    def view(self) -> RunnerView:
        """How things stand."""
        return self._view

    def watch(self, version: int, timeout_s: float) -> RunnerView:
        """Wait until there is something newer than `version`, or for the timeout."""
        with self._changed:
            self._changed.wait_for(lambda: self._view.version > version, timeout_s)
            return self._view

    def part(self, ok: int, failed: int, reused: int, replica: str, held: Held) -> None:
        """A chunk is on disk."""
        rows = ok + failed
        now = time.monotonic()
        with self._changed:
            view = self._view
            first = view.first_result_seconds
            known = dict(view.held)
            if replica:
                known[replica] = _later(known.get(replica, held), held)
            self._set(
                rows_done=view.rows_done + rows,
                rows_failed=view.rows_failed + failed,
                rows_reused=view.rows_reused + reused,
                rows_per_second=self._rate(now, rows - reused),
                first_result_seconds=now - self._started if first is None else first,
                held=tuple(sorted(known.items(), key=itemgetter(0))),
            )

    def resumed(self, done: int, failed: int) -> None:
        """Rows that were on disk before this runner started."""
        self.update(rows_done=done, rows_failed=failed)

    def lost(self, replica: str, fault: Fault) -> None:
        """A replica died."""
        with self._changed:
            self._set(lost=(*self._view.lost, (replica, fault)))

    def notice(self, text: str) -> None:
        """Something people should know."""
        with self._changed:
            self._set(notices=(*self._view.notices, text))

    def update(self, **changes: object) -> None:
        """Change fields of the view."""
        with self._changed:
            self._set(**changes)

    def _set(self, **changes: object) -> None:
        version = self._view.version + 1
        self._view = replace(self._view, version=version, **changes)  # type: ignore[arg-type]
        self._changed.notify_all()

    def _rate(self, now: float, rows: int) -> float:
        self._recent.append((now, rows))
        while len(self._recent) > 2 and self._recent[0][0] < now - RATE_WINDOW_S:
            self._recent.popleft()
        since = self._recent[0][0] if len(self._recent) > 1 else self._started
        counted = sum(n for _, n in self._recent)
        if len(self._recent) > 1:
            # The oldest entry marks the window's start; its rows lie before it.
            counted -= self._recent[0][1]
        return counted / max(1e-3, now - since)


def _later(one: Held, other: Held) -> Held:
    """Whichever was said later: chunks come back in any order.

    All of it only grows, but for the peak when a module's best batch is found.
    """

    def age(held: Held) -> tuple[bool, int, int, bool]:
        tokens = held.shape.tokens if held.shape else 0
        return held.settled, held.bytes, tokens, held.profile is not None

    return max(one, other, key=age)
