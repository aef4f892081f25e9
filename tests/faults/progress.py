"""What was seen of a load so far, as events that are counted: kills wait for them."""

from __future__ import annotations

import threading
from contextlib import suppress

from orchestrator.client.views import JobView
from orchestrator.errors import OrchError
from orchestrator.lifecycle.key import JobKey
from tests.faults.head import Head
from tests.faults.ledger import read_ledger

LOOK_S = 0.02


class Progress:
    """Counts events; any thread may add one or wait for the next."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._seen: set[str] = set()
        self.batches: dict[JobKey, JobView] = {}
        """The newest view of each batch."""
        self.over = threading.Event()
        """The run has no further interest in events."""

    @property
    def count(self) -> int:
        """Events so far."""
        return len(self._seen)

    def note(self, event: str) -> None:
        """Something happened; the same again counts no more."""
        with self._changed:
            self._seen.add(event)
            self._changed.notify_all()

    def began(self, key: JobKey) -> bool:
        """Whether some attempt of a command was seen to begin."""
        with self._changed:
            return any(
                event.startswith(f"{key} ") and event.endswith(" start")
                for event in self._seen
            )

    def wait(self, known: int, timeout_s: float) -> None:
        """Until there are more events than `known`, or so long."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._seen) > known, timeout_s)

    # --- where events come from: each in a thread of its own --------------------------

    def follow_ledger(self, head: Head, name: str) -> None:
        """An event a line of the ledger, until the run is over."""
        folder = head.folder / name
        while not self.over.wait(LOOK_S):
            for line in read_ledger(folder):
                self.note(f"{line.key} {line.attempt} {line.word}")

    def follow_batch(self, head: Head, key: JobKey) -> None:
        """An event a state, and a tenth of the rows, of a batch."""
        while not self.over.is_set():
            # Without a controller for a while: it is asked again.
            with suppress(OrchError), head.client() as client:
                for view in client.watch(key):
                    self._batch(key, view)
                    if self.over.is_set():
                        return
                return

    def _batch(self, key: JobKey, view: JobView) -> None:
        self.batches[key] = view
        rows = view.progress
        tenth = 10 * rows.rows_done // rows.rows_total if rows.rows_total else 0
        self.note(f"{key} {view.attempt} {view.state} {tenth}")
