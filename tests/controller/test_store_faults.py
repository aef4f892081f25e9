"""Writes that fail, batches that are given up, and what is on the disk when."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from orchestrator.controller.store import Standing, Store
from orchestrator.errors import Code, OrchError
from orchestrator.lifecycle.key import JobKey
from orchestrator.lifecycle.states import State
from tests.controller.store_jobs import NOW, check_whole, new_job


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "orch.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with closing(Store(path)) as opened:
        yield opened
    check_whole(path)


class GivenUpError(Exception):
    """What a test raises inside a batch."""


def test_a_batch_is_kept_whole_or_not_at_all(store: Store, path: Path) -> None:
    with suppress(GivenUpError), store.batch():
        store.accept(new_job(tasks=2, secrets={"A": "x"}))
        store.add_event(JobKey(1), NOW, {}, State.PENDING, ())
        raise GivenUpError
    assert (store.last_job(), store.counts(), store.events(JobKey(1))) == (0, {}, [])
    with store.batch():
        store.accept(new_job())
        with closing(Store(path)) as other:
            assert other.last_job() == 0, "nobody sees half a batch"
    with closing(Store(path)) as other:
        assert other.last_job() == 1


def test_a_batch_in_a_batch_is_undone_alone(store: Store) -> None:
    with store.batch():
        store.accept(new_job("a"))
        with suppress(GivenUpError), store.batch():
            store.accept(new_job("b"))
            raise GivenUpError
        store.accept(new_job("c"))
    assert [row.name for row in store.jobs()] == ["c", "a"]


def test_a_full_disk_is_told_and_can_be_mended(store: Store) -> None:
    store.accept(new_job("kept"))
    pages = store._db.execute("PRAGMA page_count").fetchone()[0]
    store._db.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(OrchError, match="cannot be written") as caught:
        store.accept(new_job(tasks=1000))
    fault = caught.value.fault
    assert fault.code is Code.WRONG_STATE
    assert "full" in fault.message
    assert any("free on its disk" in fact for fact in fault.facts)
    assert [row.name for row in store.jobs()] == ["kept"]
    store._db.execute("PRAGMA max_page_count = 1000000")
    assert store.accept(new_job("next", tasks=1000)).id == 2
    assert store.task_counts(2) == {State.PENDING: 1000}


def test_a_batch_that_a_full_disk_undid_does_not_go_on(store: Store) -> None:
    with pytest.raises(OrchError, match="all is undone") as caught:
        undone(store, "first", "second")
    assert caught.value.fault.code is Code.WRONG_STATE
    with pytest.raises(OrchError, match="all is undone"):
        undone(store, "third")
    assert store.counts() == {}
    assert store.accept(new_job("fourth")).id == 1


def undone(store: Store, first: str, *then: str) -> None:
    """A batch that SQLite undoes in its midst, as it does on some full disks."""
    with store.batch():
        store.accept(new_job(first))
        store._db.execute("ROLLBACK")
        for name in then:
            store.accept(new_job(name))


def test_files_that_cannot_grow_lose_nothing(path: Path) -> None:
    command = [sys.executable, "-m", "tests.controller.store_filler", str(path)]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert [fault["code"] for fault in said["faults"]] == ["E304"]
    assert said["read"] == list(reversed(said["accepted"][:-1]))
    check_whole(path)
    with closing(Store(path)) as store:
        assert sorted(row.id for row in store.jobs(limit=-1)) == said["accepted"]
        row = store.job(JobKey(1))
        assert row is not None
        assert row.state is State.RUNNING


def test_a_file_that_is_no_database_is_told(path: Path) -> None:
    path.write_bytes(b"not a database at all\n" * 200)
    with pytest.raises(OrchError, match="not a database") as caught:
        Store(path)
    assert caught.value.fault.code is Code.WRONG_STATE


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(OrchError, match="cannot be written") as caught:
        Store(tmp_path / "gone" / "orch.db")
    assert caught.value.fault.code is Code.WRONG_STATE


def test_a_mistake_of_ours_is_not_blamed_on_the_disk(store: Store) -> None:
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        store._write("INSERT INTO none_such VALUES (?)", (1,))


FINAL = Standing(State.FAILED, {})
RUNNING = Standing(State.RUNNING, {})


def mixed(store: Store) -> None:
    with store.batch():
        store.save(JobKey(1), FINAL)


def planned(store: Store) -> None:
    with store.batch(durable=True):
        store.save(JobKey(1), RUNNING)


@pytest.mark.parametrize(
    ("write", "durable"),
    [
        (lambda s: s.accept(new_job()), True),
        (lambda s: s.save(JobKey(1), FINAL), True),
        (lambda s: s.save(JobKey(1), RUNNING), False),
        (lambda s: s.save(JobKey(1), RUNNING, durable=True), True),
        (lambda s: s.cancel_pending(1, NOW, {}), True),
        (lambda s: s.add_event(JobKey(1), NOW, {}, State.PENDING, ()), False),
        (lambda s: s.save_engine("e", {}), False),
        (planned, True),
        (mixed, True),
    ],
)
def test_what_was_promised_is_on_the_disk(
    store: Store, write: Callable[[Store], object], durable: bool
) -> None:
    store.accept(new_job(tasks=2))
    said: list[str] = []
    store._db.set_trace_callback(said.append)
    write(store)
    store._db.set_trace_callback(None)
    mode = "unset"
    modes = []
    for text in said:
        if text.startswith("PRAGMA synchronous"):
            mode = text.split()[-1]
        elif text == "COMMIT" or text.startswith("PRAGMA user_version"):
            modes.append(mode)
    assert ("FULL" in modes) is durable, said
    assert modes.count("FULL") <= 1
    assert modes[-1] == ("FULL" if durable else "NORMAL"), "nothing after it is lost"
