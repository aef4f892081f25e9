from __future__ import annotations

import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from orchestrator.controller.store import Store
from orchestrator.errors import Code, OrchError
from orchestrator.lifecycle.states import State

NOW = "2026-01-01T00:00:00Z"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "orch.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with closing(Store(path)) as opened:
        yield opened


def test_a_job_whose_id_was_told_survives_a_kill(path: Path) -> None:
    for number in (1, 2, 3):
        command = [sys.executable, "-m", "tests.controller.crash_after_add", str(path)]
        done = subprocess.run(command, capture_output=True, check=False)
        assert done.returncode == -signal.SIGKILL, done.stderr
        assert int(done.stdout) == number
        with closing(Store(path)) as store:
            row = store.job(number)
            assert row is not None
            assert (row.state, row.request) == (State.PENDING, {"run": "r"})
            assert row.output == f"/out/{number}"


def test_numbers_are_never_used_twice(path: Path) -> None:
    with closing(Store(path)) as store:
        assert store.last_job() == 0
        first = store.add_job("a", {}, NOW, "").id
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("DELETE FROM jobs")
    with closing(Store(path)) as store:
        assert store.add_job("b", {}, NOW, "").id == first + 1
        assert store.last_job() == first + 1


def test_a_job_is_read_as_it_was_saved(store: Store) -> None:
    job = store.add_job("a", {"x": [1, "é"]}, NOW, "/out/{id}/{id}").id
    store.save_job(job, State.RUNNING, {"version": 3}, NOW, None)
    row = store.job(job)
    assert row is not None
    assert (row.name, row.request, row.output) == ("a", {"x": [1, "é"]}, "/out/1/1")
    assert (row.state, row.view) == (State.RUNNING, {"version": 3})
    assert (row.created_at, row.started_at, row.finished_at) == (NOW, NOW, None)
    assert store.job(job + 1) is None


def test_jobs_come_newest_first_and_ended_ones_on_demand(store: Store) -> None:
    for state in State:
        job = store.add_job(state, {}, NOW, "").id
        store.save_job(job, state, {}, None, None)
    names = [row.name for row in store.jobs(final=True)]
    assert names == [str(state) for state in reversed(State)]
    going = [row.name for row in store.jobs(final=False)]
    assert going == ["STOPPING", "RUNNING", "LOADING", "PENDING"]
    assert len(store.jobs(final=True, limit=2)) == 2


def test_a_jobs_story_is_its_own_and_in_order(store: Store) -> None:
    for number in range(6):
        store.add_event(number % 2, NOW, f"e{number}", State.PENDING, "")
    assert [event for _, event, _, _ in store.events(1)] == ["e1", "e3", "e5"]


def test_engines_are_kept_until_they_are_dropped(store: Store) -> None:
    store.save_engine("a", {"pid": 1})
    store.save_engine("a", {"pid": 2})
    store.save_engine("b", {"pid": 3})
    store.drop_engine("b")
    store.drop_engine("never there")
    assert store.engines() == {"a": {"pid": 2}}


def test_a_peak_only_grows(store: Store) -> None:
    assert store.peak("k") is None
    for gpu, amount in (("A", 5), ("A", 3), ("B", 4)):
        store.save_peak("k", gpu, amount)
    assert store.peak("k") == 5
    store.save_peak("k", "B", 9)
    assert store.peak("k") == 9


def test_only_its_owner_may_read_it(path: Path, store: Store) -> None:
    store.add_job("a", {}, NOW, "")
    files = list(path.parent.iterdir())
    assert len(files) == 3, "the database, its log and the log's index"
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_an_empty_database_is_filled_in(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 0")
    with closing(Store(path)) as store:
        assert store.add_job("a", {}, NOW, "").id == 1
    with closing(Store(path)) as store:
        assert [row.name for row in store.jobs(final=True)] == ["a"]


def test_a_newer_schema_is_refused_and_left_alone(path: Path) -> None:
    with closing(Store(path)) as store:
        store.add_job("a", {}, NOW, "")
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(OrchError, match="newer orch") as caught:
        Store(path)
    assert caught.value.fault.code is Code.WRONG_STATE
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (99,)
        assert db.execute("SELECT count(*) FROM jobs").fetchone() == (1,)


def test_threads_do_not_lose_each_others_work(store: Store) -> None:
    def work(number: int) -> int:
        job = store.add_job(f"j{number}", {}, NOW, "{id}").id
        store.save_job(job, State.RUNNING, {"number": number}, None, None)
        store.add_event(job, NOW, "e", State.RUNNING, "")
        store.save_peak("k", "A", number)
        return job

    with ThreadPoolExecutor(8) as pool:
        jobs = list(pool.map(work, range(40)))
    assert sorted(jobs) == list(range(1, 41))
    assert store.peak("k") == 39
    for number, job in enumerate(jobs):
        row = store.job(job)
        assert row is not None
        assert (row.name, row.view) == (f"j{number}", {"number": number})
        assert row.output == str(job)
        assert len(store.events(job)) == 1
