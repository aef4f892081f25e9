"""The jobs on disk: what the controller must know again after any crash.

SQLite in WAL mode with `synchronous=FULL`: once `add_job` has returned an id, no kill
and no power cut loses the job. The schema is versioned by `PRAGMA user_version`.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.errors import Code, OrchError
from orchestrator.lifecycle.states import State

_MIGRATIONS = (
    """
    CREATE TABLE jobs (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL,
        state TEXT NOT NULL,
        request TEXT NOT NULL,
        output TEXT NOT NULL,
        created_at TEXT NOT NULL,
        started_at TEXT,
        finished_at TEXT,
        view TEXT NOT NULL
    );
    CREATE INDEX jobs_state ON jobs (state);
    CREATE TABLE events (
        job INTEGER NOT NULL REFERENCES jobs (id),
        at TEXT NOT NULL,
        event TEXT NOT NULL,
        state TEXT NOT NULL,
        instructions TEXT NOT NULL
    );
    CREATE INDEX events_job ON events (job);
    CREATE TABLE engines (
        name TEXT PRIMARY KEY,
        data TEXT NOT NULL
    );
    CREATE TABLE peaks (
        engine_key TEXT NOT NULL,
        gpu_model TEXT NOT NULL,
        bytes INTEGER NOT NULL,
        PRIMARY KEY (engine_key, gpu_model)
    );
    """,
)


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job as it stands in the store; `request` and `view` are JSON objects."""

    id: int
    name: str
    state: State
    request: dict[str, Any]
    output: str
    created_at: str
    started_at: str | None
    finished_at: str | None
    view: dict[str, Any]


class Store:
    """The database. Safe to call from several threads."""

    def __init__(self, path: Path) -> None:
        """Open it, made or migrated as needed.

        Raises:
            OrchError: E304, it was written by a newer version of this program.
        """
        self._lock = threading.Lock()
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        path.chmod(0o600)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._migrate(path)

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._db.close()

    def add_job(
        self, name: str, request: dict[str, Any], created_at: str, output: str
    ) -> JobRow:
        """Store a new job, durably; `{id}` in `output` becomes its id."""
        with self._lock, self._db:
            self._db.execute("BEGIN IMMEDIATE")
            cursor = self._db.execute(
                "INSERT INTO jobs (name, state, request, output, created_at, view)"
                " VALUES (?, ?, ?, ?, ?, '{}')",
                (name, State.PENDING, json.dumps(request), output, created_at),
            )
            job = int(cursor.lastrowid or 0)
            path = output.replace("{id}", str(job))
            self._db.execute("UPDATE jobs SET output = ? WHERE id = ?", (path, job))
        row = self.job(job)
        assert row is not None
        return row

    def save_job(
        self,
        job: int,
        state: State,
        view: dict[str, Any],
        started_at: str | None,
        finished_at: str | None,
    ) -> None:
        """Store how a job stands."""
        self._write(
            "UPDATE jobs SET state=?, view=?, started_at=?, finished_at=? WHERE id=?",
            (state, json.dumps(view), started_at, finished_at, job),
        )

    def job(self, job: int) -> JobRow | None:
        """One job."""
        rows = self._read(f"SELECT {_COLUMNS} FROM jobs WHERE id = ?", (job,))
        return _job_row(rows[0]) if rows else None

    def last_job(self) -> int:
        """The highest number a job has; 0 before the first."""
        return int(self._read("SELECT coalesce(max(id), 0) FROM jobs", ())[0][0])

    def jobs(self, *, final: bool, limit: int = 1000) -> list[JobRow]:
        """The newest jobs, newest first; without `final`, those that go on.

        A `limit` below 0 is none.
        """
        where = "" if final else f"WHERE state NOT IN ({_FINAL})"
        rows = self._read(
            f"SELECT {_COLUMNS} FROM jobs {where} ORDER BY id DESC LIMIT ?", (limit,)
        )
        return [_job_row(row) for row in rows]

    def add_event(
        self, job: int, at: str, event: str, state: State, instructions: str
    ) -> None:
        """One line of a job's story."""
        self._write(
            "INSERT INTO events VALUES (?, ?, ?, ?, ?)",
            (job, at, event, state, instructions),
        )

    def events(self, job: int) -> list[tuple[str, str, str, str]]:
        """A job's story: (at, event, state, instructions), oldest first."""
        return self._read(
            "SELECT at, event, state, instructions FROM events WHERE job=?"
            " ORDER BY rowid",
            (job,),
        )

    def save_engine(self, name: str, data: dict[str, Any]) -> None:
        """A lease is held for this engine."""
        self._write(
            "INSERT OR REPLACE INTO engines VALUES (?, ?)", (name, json.dumps(data))
        )

    def drop_engine(self, name: str) -> None:
        """Its lease is given back."""
        self._write("DELETE FROM engines WHERE name = ?", (name,))

    def engines(self) -> dict[str, dict[str, Any]]:
        """Every engine that holds a lease, as far as this store knows."""
        rows = self._read("SELECT name, data FROM engines", ())
        return {name: json.loads(data) for name, data in rows}

    def save_peak(self, engine_key: str, gpu_model: str, peak_bytes: int) -> None:
        """The most memory this engine was seen to hold on a GPU of this model."""
        self._write(
            "INSERT INTO peaks VALUES (?, ?, ?) ON CONFLICT DO UPDATE"
            " SET bytes = max(bytes, excluded.bytes)",
            (engine_key, gpu_model, peak_bytes),
        )

    def peak(self, engine_key: str) -> int | None:
        """The most memory this engine was seen to hold; `None`: it never ran."""
        query = "SELECT max(bytes) FROM peaks WHERE engine_key = ?"
        value = self._read(query, (engine_key,))[0][0]
        return None if value is None else int(value)

    def _migrate(self, path: Path) -> None:
        version = int(self._read("PRAGMA user_version", ())[0][0])
        if version > len(_MIGRATIONS):
            self._db.close()
            raise OrchError.of(
                Code.WRONG_STATE,
                f"{path} was written by a newer orch (schema {version})",
                fix="use that version, or another ORCH_STATE_DIR",
            )
        for number, script in enumerate(_MIGRATIONS[version:], version + 1):
            self._db.executescript(
                f"BEGIN; {script}; PRAGMA user_version = {number}; COMMIT;"
            )

    def _write(self, statement: str, values: tuple[Any, ...]) -> None:
        with self._lock:
            self._db.execute(statement, values)

    def _read(self, query: str, values: tuple[Any, ...]) -> list[Any]:
        with self._lock:
            return self._db.execute(query, values).fetchall()


_COLUMNS = "id, name, state, request, output, created_at, started_at, finished_at, view"
_FINAL = ", ".join(f"'{state}'" for state in State if state.final)


def _job_row(row: tuple[Any, ...]) -> JobRow:
    job, name, state, request, output, created, started, finished, view = row
    return JobRow(
        job,
        name,
        State(state),
        json.loads(request),
        output,
        created,
        started,
        finished,
        json.loads(view),
    )
