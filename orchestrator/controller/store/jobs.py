"""Jobs: how they are accepted, how they stand, what was asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from orchestrator.controller.store.database import Database
from orchestrator.controller.store.rows import (
    SEQ_PER_JOB,
    JobRow,
    NewJob,
    Standing,
)
from orchestrator.lifecycle.causes import Cause
from orchestrator.lifecycle.key import JobKey
from orchestrator.lifecycle.states import State

COLUMNS = (
    "number, task, kind, name, state, priority, seq, attempt, cause, output,"
    " created_at, started_at, finished_at, not_before, after, run, user, tasks,"
    " max_parallel, view"
)
"""What `job_row` reads, in its order."""

_INSERT = f"INSERT INTO jobs ({COLUMNS}, needs) VALUES ({', '.join('?' * 21)})"


class Jobs(Database):
    """The tables `requests` and `jobs`."""

    def accept(self, new: NewJob) -> JobRow:
        """Store a new job, its tasks and its secrets, durably.

        Raises:
            OrchError: E304, the state folder cannot be written; nothing is stored.
        """
        with self.batch(durable=True):
            cursor = self._db.execute(
                "INSERT INTO requests (request) VALUES (?)", (json.dumps(new.request),)
            )
            number = int(cursor.lastrowid or 0)
            rows = _new_rows(new, number)
            whole = next(rows)
            self._db.execute(_INSERT, whole)
            self._db.executemany(_INSERT, rows)
            self._db.executemany(
                "INSERT INTO secrets VALUES (?, ?, ?)",
                [(number, name, value) for name, value in new.secrets.items()],
            )
        return job_row(whole[:-1])

    def save(self, key: JobKey, stand: Standing, *, durable: bool = False) -> None:
        """Store how a job stands, all of it; durably if it is over.

        Args:
            key: The job, or the task.
            stand: How it stands.
            durable: Somebody was promised this: it may not be lost in a power cut.
        """
        self._write(
            "UPDATE jobs SET state = ?, view = ?, attempt = ?, cause = ?,"
            " not_before = ?, started_at = ?, finished_at = ?"
            " WHERE number = ? AND task = ?",
            (
                stand.state,
                json.dumps(stand.view),
                stand.attempt,
                stand.cause,
                stand.not_before,
                stand.started_at,
                stand.finished_at,
                key.number,
                key.task,
            ),
            durable=durable or stand.state.final,
        )

    def save_view(self, key: JobKey, view: Mapping[str, Any]) -> None:
        """Store what is shown of a job; all else stays as it is."""
        self._write(
            "UPDATE jobs SET view = ? WHERE number = ? AND task = ?",
            (json.dumps(view), key.number, key.task),
        )

    def cancel_pending(
        self, number: int, at: str, view_patch: Mapping[str, Any]
    ) -> list[JobKey]:
        """End every task of an array that waits, durably; the job itself stays.

        Args:
            number: The array's.
            at: When.
            view_patch: Merged into each view; a `None` in it takes the key out.

        Returns:
            The tasks that were ended, in order.
        """
        ended = (State.CANCELLED, Cause.CANCELLED)
        return self._end_pending(number, at, ended, view_patch)

    def skip_pending(self, number: int, at: str) -> list[JobKey]:
        """The same for an array whose dependency has failed."""
        return self._end_pending(number, at, (State.SKIPPED, Cause.DEPENDENCY), {})

    def _end_pending(
        self,
        number: int,
        at: str,
        ended: tuple[State, Cause],
        view_patch: Mapping[str, Any],
    ) -> list[JobKey]:
        waits = "number = ? AND task >= 0 AND state = 'PENDING' AND tasks = 0"
        with self.batch(durable=True):
            rows = self._read(f"SELECT task FROM jobs WHERE {waits}", (number,))
            self._db.execute(
                "UPDATE jobs SET state = ?, cause = ?, finished_at = ?, not_before ="
                " NULL, view = CASE WHEN json_valid(view) THEN json_patch(view, ?)"
                f" ELSE view END WHERE {waits}",
                (*ended, at, json.dumps(view_patch), number),
            )
        return sorted(JobKey(number, task) for (task,) in rows)

    def job(self, key: JobKey) -> JobRow | None:
        """One job, or one task."""
        rows = self._read(
            f"SELECT {COLUMNS} FROM jobs WHERE number = ? AND task = ?",
            (key.number, key.task),
        )
        return job_row(rows[0]) if rows else None

    def state(self, key: JobKey) -> State | None:
        """Where a job, or a task, stands; `None`: there is none such."""
        query = "SELECT state FROM jobs WHERE number = ? AND task = ?"
        rows = self._read(query, (key.number, key.task))
        return State(rows[0][0]) if rows else None

    def writing_to(self, output: str) -> JobKey | None:
        """A job that is not over, and whose results go to this folder."""
        rows = self._read(
            "SELECT number, task FROM jobs INDEXED BY jobs_output WHERE output = ?"
            " AND state IN ('PENDING', 'LOADING', 'RUNNING', 'STOPPING') LIMIT 1",
            (output,),
        )
        return JobKey(*rows[0]) if rows else None

    def request(self, number: int) -> dict[str, Any]:
        """What was submitted under this number; empty if nothing was."""
        rows = self._read("SELECT request FROM requests WHERE number = ?", (number,))
        return dict(json.loads(rows[0][0])) if rows else {}

    def snapshots(self) -> frozenset[str]:
        """Hashes of the files that jobs, also those that are over, came with."""
        query = "SELECT DISTINCT json_extract(request, '$.snapshot') FROM requests"
        return frozenset(sha256 for (sha256,) in self._read(query) if sha256)

    def last_job(self) -> int:
        """The highest number a job has; 0 before the first."""
        return int(self._read("SELECT coalesce(max(number), 0) FROM requests")[0][0])


def job_row(row: tuple[Any, ...]) -> JobRow:
    """The columns `COLUMNS` of one row as a value."""
    number, task, kind, name, state, *times, after, run, user, tasks, limit, view = row
    jobs = tuple(json.loads(after)) if after else ()
    known = (*times, jobs, run, user, tasks, limit, json.loads(view))
    return JobRow(JobKey(number, task), kind, name, State(state), *known)


def _new_rows(new: NewJob, number: int) -> Iterator[tuple[Any, ...]]:
    after = json.dumps([dict(job) for job in new.after]) if new.after else None
    parts = [(new.name, new.output, len(new.tasks))]
    parts += [(task.name, task.output, 0) for task in new.tasks]
    for task, (name, output, tasks) in enumerate(parts, -1):
        yield (
            number,
            task,
            new.kind,
            name,
            State.PENDING,
            new.priority,
            number * SEQ_PER_JOB + task + 1,
            1,
            "",
            output.replace("{id}", str(number)),
            new.created_at,
            None,
            None,
            new.not_before,
            after,
            new.run,
            new.user,
            tasks,
            new.max_parallel,
            "{}",
            json.dumps(dict(new.needs)),
        )
