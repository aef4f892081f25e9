"""What tests of the store share: jobs to accept, and what holds of any store."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from orchestrator.controller.store import NewJob, NewTask
from orchestrator.controller.store.schema import VERSION

NOW = "2026-01-01T00:00:00.000+00:00"
LATER = "2026-01-02T00:00:00.000+00:00"
NO_SECRETS: Mapping[str, str] = {}


def new_job(
    name: str = "a", *, tasks: int = 0, secrets: Mapping[str, str] = NO_SECRETS
) -> NewJob:
    """A plain job, or an array of so many tasks."""
    parts = (NewTask(f"{name}-{i}", f"/out/{{id}}/{i}") for i in range(tasks))
    request = {"of": name}
    return NewJob(
        "command", name, request, "/out/{id}", NOW, tasks=tuple(parts), secrets=secrets
    )


def check_whole(path: Path) -> None:
    """No half jobs, no wrong counters, no torn page."""
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert db.execute("PRAGMA user_version").fetchone() == (VERSION,)
        numbers = db.execute("SELECT number FROM requests ORDER BY number").fetchall()
        wholes = db.execute(
            "SELECT number FROM jobs WHERE task = -1 ORDER BY number"
        ).fetchall()
        assert numbers == wholes
        torn = (
            "SELECT a.number FROM jobs a WHERE a.task = -1 AND a.tasks <> (SELECT"
            " count(*) FROM jobs b WHERE b.number = a.number AND b.task >= 0)"
        )
        assert db.execute(torn).fetchall() == []
        counted = (
            "SELECT CASE WHEN task < 0 THEN 0 ELSE number END, state, count(*)"
            " FROM jobs GROUP BY 1, 2 ORDER BY 1, 2"
        )
        kept = "SELECT * FROM counters WHERE jobs <> 0 ORDER BY number, state"
        assert db.execute(counted).fetchall() == db.execute(kept).fetchall()
