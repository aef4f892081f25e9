"""Databases of earlier versions are brought up to date, whole or not at all."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from orchestrator.controller.store import Store
from orchestrator.controller.store.schema import VERSION
from orchestrator.lifecycle.key import JobKey
from orchestrator.lifecycle.states import State
from tests.controller.store_jobs import LATER, NOW, check_whole, new_job

FIRST = """
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
    PRAGMA user_version = 1;
"""
"""Version 1 as it was released."""

STATES = ("PENDING", "RUNNING", "SUCCEEDED", "FAILED")
JOBS = 200


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "orch.db"
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("PRAGMA journal_mode = WAL")
        db.executescript(FIRST)
        for number in range(1, JOBS + 1):
            request = json.dumps({"run": f"r{number}", "spec": {"n": number}})
            view = json.dumps({"version": number, "pad": "x" * 500})
            state = STATES[number % 4]
            values = (number, state, request, view)
            db.execute(
                "INSERT INTO jobs VALUES (?1, 'j' || ?1, ?2, ?3, '/out/' || ?1,"
                f" '{NOW}', '{NOW}', NULL, ?4)",
                values,
            )
            for line in range(3):
                told = (number, f"Event({line})", state, "Do(1); Do(2)" * (line > 0))
                db.execute(f"INSERT INTO events VALUES (?, '{NOW}', ?, ?, ?)", told)
        db.execute("INSERT INTO jobs SELECT 500, '', '', '', '', '', '', '', ''")
        db.execute("DELETE FROM jobs WHERE id = 500")
        db.execute("INSERT INTO peaks VALUES ('k', 'H200', 7)")
        db.execute("INSERT INTO engines VALUES ('e', '{\"pid\": 3}')")
    return path


def check_jobs(path: Path) -> None:
    """Nothing of version 1 is lost, and no number comes twice."""
    with closing(Store(path)) as store:
        rows = sorted(store.jobs(limit=-1), key=lambda row: row.id)
        assert [row.key for row in rows] == [JobKey(n) for n in range(1, JOBS + 1)]
        for row in rows:
            n = row.id
            assert (row.name, row.state) == (f"j{n}", State(STATES[n % 4]))
            assert (row.kind, row.run, row.output) == ("batch", f"r{n}", f"/out/{n}")
            assert (row.created_at, row.started_at, row.finished_at) == (NOW, NOW, None)
            assert (row.attempt, row.tasks, row.after) == (1, 0, ())
            assert row.view == {"version": n, "pad": "x" * 500}
            assert store.request(n) == {"run": f"r{n}", "spec": {"n": n}}
            story = [(e.n, e.event, e.does) for e in store.events(row.key)]
            assert story == [
                (1, {"text": "Event(0)"}, ()),
                (2, {"text": "Event(1)"}, ("Do(1); Do(2)",)),
                (3, {"text": "Event(2)"}, ("Do(1); Do(2)",)),
            ]
        assert store.counts() == {State(state): JOBS // 4 for state in STATES}
        pending = [row.key.number for row in store.pending()]
        assert pending == list(range(4, JOBS + 1, 4))
        seqs = [row.seq for row in store.pending()]
        assert seqs == sorted(seqs)
        assert store.known("k").most_bytes() == 7
        assert store.known("k").seen[0].lacked, "it may raise an estimate only"
        assert store.engines() == {"e": {"pid": 3}}
        new = store.accept(new_job())
        assert new.id > 500, "this number was a job's once"
        assert new.seq > seqs[-1]
        store.add_event(JobKey(1), LATER, {"event": "e"}, State.PENDING, ())
        assert [event.n for event in store.events(JobKey(1))] == [1, 2, 3, 4]
    check_whole(path)


def test_the_first_version_is_brought_up_to_date(path: Path) -> None:
    with closing(Store(path)):
        pass
    check_jobs(path)


def killed(path: Path, unit: str, count: int) -> bool:
    """Whether the migration was killed there; else it is done."""
    command = [sys.executable, "-m", "tests.controller.store_migrator"]
    done = subprocess.run(
        [*command, str(path), unit, str(count)], capture_output=True, check=False
    )
    if done.stdout == b"done":
        assert done.returncode == 0, done.stderr
        return False
    assert done.returncode == -signal.SIGKILL, done.stderr
    return True


def version(path: Path) -> int:
    """Which one is there; if it is the first, its jobs are, too."""
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        found = int(db.execute("PRAGMA user_version").fetchone()[0])
        if found == 1:
            query = "SELECT count(*), count(DISTINCT request) FROM jobs"
            assert db.execute(query).fetchone() == (JOBS, JOBS)
            told = db.execute("SELECT count(instructions) FROM events").fetchone()
            assert told == (3 * JOBS,)
        return found


def test_a_migration_that_is_killed_has_not_been(path: Path) -> None:
    versions: list[int] = []
    while killed(path, "statement", len(versions)):
        versions.append(version(path))
    assert set(versions) == {1}
    assert len(versions) > 20
    assert version(path) == VERSION
    check_jobs(path)


@pytest.mark.parametrize("steps", [50, 400, 3000, 9000, 15000])
def test_a_migration_killed_in_a_statement_has_not_been(path: Path, steps: int) -> None:
    assert killed(path, "step", steps)
    assert version(path) == 1
    check_jobs(path)


def test_a_file_that_is_empty_or_not_there_is_filled_in(tmp_path: Path) -> None:
    empty = tmp_path / "empty.db"
    empty.touch()
    for path in (empty, tmp_path / "new.db"):
        with closing(Store(path)) as store:
            assert store.accept(new_job()).id == 1
        with closing(Store(path)) as store:
            assert [row.name for row in store.jobs()] == ["a"]
        check_whole(path)


def test_of_two_that_open_it_at_once_one_migrates(path: Path) -> None:
    def open_it(_: int) -> int:
        with closing(Store(path)) as store:
            return sum(store.counts().values())

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(open_it, range(4))) == [JOBS] * 4
    check_jobs(path)
