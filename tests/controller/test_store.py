from __future__ import annotations

import math
import sqlite3
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.controller.store import SEQ_PER_JOB, NewJob, Standing, Store
from orchestrator.errors import Code, OrchError
from orchestrator.estimate.known import Known, Profile, Seen
from orchestrator.estimate.measured import Peak
from orchestrator.estimate.model import Shape
from orchestrator.lifecycle.key import JobKey
from orchestrator.lifecycle.states import State
from tests.controller.store_jobs import LATER, NOW, check_whole, new_job


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "orch.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with closing(Store(path)) as opened:
        yield opened
    check_whole(path)


def test_a_job_is_read_as_it_was_accepted(store: Store) -> None:
    new = replace(
        new_job(),
        request={"x": [1, "é"]},
        output="/out/{id}/{id}",
        run="r",
        user="me",
        priority=-5,
        after=({"job": 7, "when": "any"},),
        not_before=LATER,
    )
    for row in (store.accept(new), store.job(JobKey(1))):
        assert row is not None
        assert (row.key, row.kind, row.state) == (JobKey(1), "command", State.PENDING)
        assert (row.output, row.run, row.user) == ("/out/1/1", "r", "me")
        assert (row.priority, row.after) == (-5, ({"job": 7, "when": "any"},))
        assert (row.created_at, row.not_before) == (NOW, LATER)
        assert (row.started_at, row.finished_at) == (None, None)
        assert (row.attempt, row.cause, row.tasks, row.view) == (1, "", 0, {})
        assert row.seq == SEQ_PER_JOB
    assert store.request(1) == {"x": [1, "é"]}
    assert store.job(JobKey(2)) is None
    assert store.job(JobKey(1, 0)) is None
    assert store.request(2) == {}


def test_an_array_is_accepted_with_its_tasks(store: Store) -> None:
    store.accept(new_job("before"))
    sweep = replace(new_job("sweep", tasks=3), max_parallel=2, priority=4)
    row = store.accept(sweep)
    assert (row.key, row.tasks, row.max_parallel) == (JobKey(2), 3, 2)
    tasks = store.tasks(2)
    assert [task.key for task in tasks] == [JobKey(2, i) for i in range(3)]
    assert [task.name for task in tasks] == ["sweep-0", "sweep-1", "sweep-2"]
    assert [task.output for task in tasks] == ["/out/2/0", "/out/2/1", "/out/2/2"]
    assert {task.priority for task in tasks} == {4}
    assert [t.seq - 2 * SEQ_PER_JOB for t in (row, *tasks)] == [0, 1, 2, 3]


def test_what_is_saved_is_all_of_how_it_stands(store: Store) -> None:
    key = store.accept(new_job(tasks=1)).key
    stand = Standing(
        State.FAILED,
        {"version": 3},
        attempt=2,
        cause="error",
        not_before=NOW,
        started_at=NOW,
        finished_at=LATER,
    )
    task = JobKey(key.number, 0)
    store.save(task, stand)
    row = store.job(task)
    assert row is not None
    assert (row.state, row.view, row.attempt) == (State.FAILED, {"version": 3}, 2)
    assert (row.cause, row.not_before) == ("error", NOW)
    assert (row.started_at, row.finished_at) == (NOW, LATER)
    whole = store.job(key)
    assert whole is not None
    assert whole.state is State.PENDING
    store.save(task, Standing(State.PENDING, {}, attempt=3))
    row = store.job(task)
    assert row is not None
    assert (row.cause, row.not_before, row.finished_at) == ("", None, None)


def test_numbers_are_never_used_twice(path: Path) -> None:
    with closing(Store(path)) as store:
        assert store.last_job() == 0
        first = store.accept(new_job()).id
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("DELETE FROM jobs")
        db.execute("DELETE FROM requests")
    with closing(Store(path)) as store:
        assert store.accept(new_job()).id == first + 1
        assert store.last_job() == first + 1


def test_tasks_that_wait_are_cancelled_together(store: Store) -> None:
    store.accept(new_job(tasks=4))
    store.accept(new_job(tasks=1))
    running = Standing(State.RUNNING, {"n": 1})
    store.save(JobKey(1, 1), running)
    store.save(JobKey(1, 2), Standing(State.PENDING, {"n": 2, "x": 1}, not_before=NOW))
    patch = {"state": "CANCELLED", "x": None}
    assert store.cancel_pending(1, LATER, patch) == [JobKey(1, i) for i in (0, 2, 3)]
    rows = store.tasks(1)
    assert [row.state for row in rows] == [
        State.CANCELLED,
        State.RUNNING,
        State.CANCELLED,
        State.CANCELLED,
    ]
    assert rows[2].view == {"n": 2, "state": "CANCELLED"}
    assert (rows[2].cause, rows[2].finished_at) == ("cancelled", LATER)
    assert rows[2].not_before is None
    assert store.task_counts(1) == {State.CANCELLED: 3, State.RUNNING: 1}
    assert store.cancel_pending(1, LATER, patch) == []
    store.save(JobKey(2, 0), Standing(State.PENDING, {"eta": math.nan}))
    whole = store.job(JobKey(1))
    assert whole is not None
    assert whole.state is State.PENDING
    assert store.task_counts(2) == {State.PENDING: 1}
    assert store.cancel_pending(2, LATER, patch) == [JobKey(2, 0)]


def test_an_output_is_in_use_until_its_job_is_over(store: Store) -> None:
    for state in State:
        name = f"/out/{state}"
        key = store.accept(replace(new_job(), output=name)).key
        store.save(key, Standing(state, {}))
        assert store.state(key) is state
        assert store.writing_to(name) == (None if state.final else key)
    key = store.accept(new_job(tasks=2)).key
    assert store.writing_to(f"/out/{key}/1") == JobKey(key.number, 1)
    assert store.writing_to("/other") is None
    assert store.state(JobKey(99)) is None


def test_a_view_is_saved_alone(store: Store) -> None:
    key = store.accept(new_job(tasks=1)).key
    store.save(key, Standing(State.RUNNING, {"a": 1}, attempt=2, started_at=NOW))
    store.save_view(key, {"b": 2})
    row = store.job(key)
    assert row is not None
    assert (row.view, row.state, row.attempt) == ({"b": 2}, State.RUNNING, 2)
    assert row.started_at == NOW
    assert store.tasks(key.number)[0].view == {}


def test_engines_are_kept_until_they_are_dropped(store: Store) -> None:
    store.save_engine("a", {"pid": 1})
    store.save_engine("a", {"pid": 2})
    store.save_engine("b", {"pid": 3})
    store.drop_engine("b")
    store.drop_engine("never there")
    assert store.engines() == {"a": {"pid": 2}}


def test_of_one_batch_the_largest_peak_is_kept(store: Store) -> None:
    assert store.known("k") == Known()
    small, large = Shape(batch=1), Shape(batch=1, length=9, packed=True)
    for gpu, shape, amount in (
        *(("A", small, 5), ("A", small, 3), ("B", small, 4)),
        *(("A", large, 8), ("A", large, 7)),
    ):
        store.save_seen("k", Seen(Peak(shape, amount, gpu)))
    lacked = Seen(Peak(small, 6, "A"), lacked=True)
    store.save_seen("k", lacked)
    store.save_seen("k", Seen(Peak(small, 2, "B"), settled=True))
    store.save_seen("other", Seen(Peak(small, 99, "A")))
    assert set(store.known("k").seen) == {
        Seen(Peak(small, 5, "A")),
        Seen(Peak(large, 8, "A")),
        Seen(Peak(small, 4, "B"), settled=True),
        lacked,
    }
    assert store.known("k").most_bytes() == 8


def test_of_a_module_the_newest_profile_is_kept(store: Store) -> None:
    store.save_profile("k", Profile(1, ((8, 2), (16, 3))))
    newer = Profile(4, ((8, 5), (16, 6)))
    store.save_profile("k", newer)
    assert store.known("k") == Known((), newer)


def test_only_its_owner_may_read_it(path: Path, store: Store) -> None:
    store.accept(new_job())
    files = list(path.parent.iterdir())
    assert len(files) == 3, "the database, its log and the log's index"
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_a_newer_schema_is_refused_and_left_alone(path: Path) -> None:
    with closing(Store(path)) as store:
        store.accept(new_job())
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(OrchError, match="newer orch") as caught:
        Store(path)
    assert caught.value.fault.code is Code.WRONG_STATE
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (99,)
        assert db.execute("SELECT count(*) FROM jobs").fetchone() == (1,)


def test_threads_do_not_lose_each_others_work(store: Store) -> None:
    def work(number: int) -> JobKey:
        with store.batch():
            key = store.accept(new_job(f"j{number}", tasks=2)).key
            store.save(key, Standing(State.RUNNING, {"number": number}))
        store.add_event(key, NOW, {"event": "e"}, State.RUNNING, ())
        store.save_seen("k", Seen(Peak(Shape(batch=8), number, "A")))
        return key

    with ThreadPoolExecutor(8) as pool:
        keys = list(pool.map(work, range(40)))
    assert sorted(keys) == [JobKey(n) for n in range(1, 41)]
    assert store.known("k").most_bytes() == 39
    for number, key in enumerate(keys):
        row = store.job(key)
        assert row is not None
        assert (row.name, row.view) == (f"j{number}", {"number": number})
        assert row.output == f"/out/{key}"
        assert len(store.events(key)) == 1
        assert store.task_counts(key.number) == {State.PENDING: 2}


def test_files_that_jobs_came_with_are_known(tmp_path: Path) -> None:
    store = Store(tmp_path / "orch.db")
    for snapshot in ("a" * 64, None, "b" * 64, "a" * 64):
        store.accept(
            NewJob("command", "job", {"snapshot": snapshot}, "/out", "2026-01-01")
        )
    assert store.snapshots() == {"a" * 64, "b" * 64}
    store.close()
