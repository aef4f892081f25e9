"""Each job's story and its past attempts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from orchestrator.controller.store.database import Database
from orchestrator.controller.store.rows import AttemptRow, EventRow
from orchestrator.lifecycle.key import JobKey
from orchestrator.lifecycle.states import State

FIRST_KEPT, LAST_KEPT = 200, 800
"""Of a longer story the beginning and the end are kept, and it says so."""


class Events(Database):
    """The tables `events` and `attempts`."""

    def add_event(
        self,
        key: JobKey,
        at: str,
        event: Mapping[str, Any],
        state: State,
        does: Sequence[str],
    ) -> None:
        """One line of a job's story; the middle of a long story goes.

        Args:
            key: The job, or the task.
            at: When.
            event: Its name, fields and text, as JSON.
            state: The job's after it.
            does: What the job's machine asks for.
        """
        own = (key.number, key.task)
        with self.batch():
            query = "SELECT max(n) FROM events WHERE number = ? AND task = ?"
            n = (self._read(query, own)[0][0] or 0) + 1
            self._db.execute(
                "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?)",
                (*own, n, at, json.dumps(event), state, json.dumps(list(does))),
            )
            if n > FIRST_KEPT + LAST_KEPT:
                self._db.execute(
                    "DELETE FROM events WHERE number = ? AND task = ? AND n > ?"
                    " AND n <= ?",
                    (*own, FIRST_KEPT, n - LAST_KEPT),
                )

    def events(self, key: JobKey, limit: int = 1000) -> list[EventRow]:
        """The newest `limit` lines of a job's story, oldest first.

        Where lines are gone stands one more: its event is `left_out` and says how many.
        """
        rows = self._read(
            "SELECT n, at, event, state, does FROM events WHERE number = ?"
            " AND task = ? ORDER BY n DESC LIMIT ?",
            (key.number, key.task, limit),
        )
        events = [
            EventRow(n, at, json.loads(event), State(state), tuple(json.loads(does)))
            for n, at, event, state, does in reversed(rows)
        ]
        gaps = [_gap(a, b) for a, b in pairwise(events) if b.n > a.n + 1]
        return sorted([*events, *gaps], key=lambda event: event.n)

    def add_attempt(self, key: JobKey, attempt: AttemptRow) -> None:
        """An attempt is over; told twice, the later word counts."""
        self._write(
            "INSERT OR REPLACE INTO attempts VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                key.number,
                key.task,
                attempt.attempt,
                attempt.state,
                attempt.cause,
                attempt.text,
                attempt.started_at,
                attempt.finished_at,
            ),
        )

    def attempts(self, key: JobKey) -> list[AttemptRow]:
        """The attempts of a job that are over, in order."""
        rows = self._read(
            "SELECT attempt, state, cause, text, started_at, finished_at FROM attempts"
            " WHERE number = ? AND task = ? ORDER BY attempt",
            (key.number, key.task),
        )
        return [AttemptRow(n, State(state), *rest) for n, state, *rest in rows]


def _gap(before: EventRow, after: EventRow) -> EventRow:
    count = after.n - before.n - 1
    event = {
        "event": "left_out",
        "text": f"{count:,} events are left out here",
        "data": {"events": count},
    }
    return EventRow(before.n + 1, before.at, event, before.state, ())
