"""Many jobs at once. What is not shown is not read: each list has its index."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from orchestrator.controller.store.jobs import COLUMNS, Jobs, job_row
from orchestrator.controller.store.rows import JobRow, Named, QueuedRow
from orchestrator.lifecycle.key import JobKey
from orchestrator.lifecycle.states import State

_OPEN = tuple(s for s in State if not s.final)
_ACTIVE = tuple(s for s in _OPEN if s is not State.PENDING)
_PAGE = 10_000


class Lists(Jobs):
    """Questions about many rows of `jobs`."""

    def pending(self) -> Iterator[QueuedRow]:
        """Every plain job and every task that waits, by number; no array itself."""
        last = (0, -1)
        while True:
            rows = self._read(
                "SELECT number, task, priority, seq, not_before, after IS NOT NULL,"
                " CASE WHEN task < 0 THEN NULL ELSE max_parallel END, needs"
                " FROM jobs INDEXED BY jobs_pending"
                " WHERE state = 'PENDING' AND tasks = 0 AND (number, task) > (?, ?)"
                f" ORDER BY number, task LIMIT {_PAGE}",
                last,
            )
            for number, task, priority, seq, not_before, after, limit, needs in rows:
                key = JobKey(number, task)
                known = (priority, seq, not_before, bool(after), limit, _needs(needs))
                yield QueuedRow(key, *known)
            if len(rows) < _PAGE:
                return
            last = rows[-1][:2]

    def active(self) -> list[JobRow]:
        """Every job, array and task that neither waits nor is over, oldest first."""
        rows = self._read(
            f"SELECT {COLUMNS} FROM jobs WHERE state IN ({_marks(_ACTIVE)})"
            " ORDER BY number, task",
            _ACTIVE,
        )
        return [job_row(row) for row in rows]

    def open_arrays(self) -> list[JobKey]:
        """Every array that is not over."""
        rows = self._read(
            f"SELECT number FROM jobs WHERE state IN ({_marks(_OPEN)}) AND task = -1"
            " AND tasks > 0 ORDER BY number",
            _OPEN,
        )
        return [JobKey(number) for (number,) in rows]

    def jobs(
        self,
        states: Collection[State] | None = None,
        limit: int = 200,
        *,
        kind: str = "",
        prefix: str = "",
        newest: bool = False,
    ) -> list[JobRow]:
        """Whole jobs: those that neither wait nor are over, then the others.

        Newest first in each of the two parts.

        Args:
            states: Only these; `None`: all.
            limit: How many at most; below 0: all.
            kind: Only of this kind.
            prefix: Only those whose names begin so.
            newest: By number alone.
        """
        wanted = set(State if states is None else states)
        if kind or prefix or newest:
            return self._filtered(wanted, limit, kind, prefix)
        active = self._newest(wanted.intersection(_ACTIVE), limit)
        rest = limit if limit < 0 else limit - len(active)
        others = self._newest(wanted.difference(_ACTIVE), rest)
        rows = [self.job(JobKey(number)) for number in active + others]
        return [row for row in rows if row is not None]

    def tasks(
        self,
        number: int,
        *,
        states: Collection[State] | None = None,
        limit: int = 200,
        offset: int = 0,
    ) -> list[JobRow]:
        """An array's tasks, by their index. A `limit` below 0 is none."""
        wanted = tuple(State if states is None else states)
        rows = self._read(
            f"SELECT {COLUMNS} FROM jobs WHERE number = ? AND task >= 0"
            f" AND +state IN ({_marks(wanted)}) ORDER BY task LIMIT ? OFFSET ?",
            (number, *wanted, limit, offset),
        )
        return [job_row(row) for row in rows]

    def counts(self) -> dict[State, int]:
        """How many whole jobs are in each state; a state without any is left out."""
        return self._counted(0)

    def task_counts(self, number: int) -> dict[State, int]:
        """How many tasks of an array are in each state that has any."""
        return self._counted(number)

    def find_by_name(self, prefix: str, limit: int) -> list[Named]:
        """Whole jobs whose names start so: that very name first, newest first."""
        rows = self._read(
            "SELECT number, name, state FROM jobs WHERE task = -1 AND name >= ?"
            " AND name < ? ORDER BY name, number DESC LIMIT ?",
            (prefix, prefix + "\U0010ffff", limit),
        )
        return [Named(JobKey(number), name, State(s)) for number, name, s in rows]

    def nth_newest(self, n: int) -> JobKey | None:
        """The newest whole job (0), the one before it (1), ..."""
        query = "SELECT number FROM requests ORDER BY number DESC LIMIT 1 OFFSET ?"
        rows = self._read(query, (n,))
        return JobKey(rows[0][0]) if rows else None

    def _filtered(
        self, states: Collection[State], limit: int, kind: str, prefix: str
    ) -> list[JobRow]:
        """By number; the index of numbers is followed as far as needed."""
        terms, values = [f"state IN ({_marks(states)})"], list(states)
        if kind:
            terms.append("kind = ?")
        if prefix:
            terms.append("name >= ? AND name < ?")
        given = [kind] if kind else []
        given += [prefix, prefix + "\U0010ffff"] if prefix else []
        rows = self._read(
            f"SELECT number FROM jobs WHERE task = -1 AND +{' AND '.join(terms)}"
            " ORDER BY number DESC LIMIT ?",
            (*values, *given, limit),
        )
        found = (self.job(JobKey(number)) for (number,) in rows)
        return [row for row in found if row is not None]

    def _newest(self, states: Collection[State], limit: int) -> list[int]:
        # State by state, each from its end of the index: no sorting of 100,000 jobs.
        query = (
            "SELECT number FROM jobs WHERE state = ? AND task = -1"
            " ORDER BY number DESC LIMIT ?"
        )
        numbers = [n for s in states for (n,) in self._read(query, (s, limit))]
        numbers.sort(reverse=True)
        return numbers if limit < 0 else numbers[:limit]

    def _counted(self, number: int) -> dict[State, int]:
        rows = self._read(
            "SELECT state, jobs FROM counters WHERE number = ? AND jobs > 0", (number,)
        )
        return {State(state): int(jobs) for state, jobs in rows}


@lru_cache(maxsize=256)
def _needs(text: str) -> Mapping[str, Any]:
    """Most jobs that wait need the same."""
    return MappingProxyType(json.loads(text))


def _marks(values: Collection[Any]) -> str:
    return ", ".join("?" * len(values))
