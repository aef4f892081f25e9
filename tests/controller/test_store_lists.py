from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.controller.store import QueuedRow, Standing, Store
from orchestrator.lifecycle.key import JobKey
from orchestrator.lifecycle.states import State
from tests.controller.store_jobs import NOW, check_whole, new_job

ACTIVE = (State.LOADING, State.RUNNING, State.STOPPING)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store(tmp_path / "orch.db")) as opened:
        yield opened
    check_whole(tmp_path / "orch.db")


def one_in_each_state(store: Store) -> None:
    for state in State:
        key = store.accept(new_job(state)).key
        store.save(key, Standing(state, {"version": 1}))


def test_the_queue_has_jobs_and_tasks_but_no_arrays(store: Store) -> None:
    one_in_each_state(store)
    array = store.accept(
        replace(new_job(tasks=2), max_parallel=1, priority=3, needs={"cpus": 2})
    )
    after = ({"job": 1, "when": "ok"},)
    late = replace(new_job(), after=after, not_before=NOW, max_parallel=9)
    last = store.accept(late)
    seqs = [task.seq for task in store.tasks(array.id)]
    first = store.job(JobKey(1))
    assert first is not None
    assert list(store.pending()) == [
        QueuedRow(JobKey(1), 0, first.seq, None, False, None, {}),
        QueuedRow(JobKey(array.id, 0), 3, seqs[0], None, False, 1, {"cpus": 2}),
        QueuedRow(JobKey(array.id, 1), 3, seqs[1], None, False, 1, {"cpus": 2}),
        QueuedRow(last.key, 0, last.seq, NOW, True, None, {}),
    ]


def test_a_long_queue_is_read_whole(store: Store) -> None:
    store.accept(new_job(tasks=25_000))
    store.accept(new_job())
    keys = [row.key for row in store.pending()]
    assert keys == [*(JobKey(1, i) for i in range(25_000)), JobKey(2)]


def test_active_are_jobs_and_tasks_that_neither_wait_nor_are_over(
    store: Store,
) -> None:
    one_in_each_state(store)
    store.accept(new_job(tasks=2))
    last = store.last_job()
    store.save(JobKey(last), Standing(State.RUNNING, {}))
    store.save(JobKey(last, 1), Standing(State.LOADING, {}))
    keys = [row.key for row in store.active()]
    numbers = [i for i, state in enumerate(State, 1) if state in ACTIVE]
    assert keys == [*map(JobKey, numbers), JobKey(last), JobKey(last, 1)]


def test_jobs_come_newest_first_and_active_ones_before_all(store: Store) -> None:
    one_in_each_state(store)
    store.accept(new_job("array", tasks=2))
    names = [row.name for row in store.jobs()]
    others = [s for s in reversed(State) if s not in ACTIVE]
    assert names == [*reversed(ACTIVE), "array", *others]
    assert names[:4] == [row.name for row in store.jobs(limit=4)]
    assert names[:2] == [row.name for row in store.jobs(limit=2)]
    assert store.jobs(limit=0) == []
    wanted = [State.PENDING, State.RUNNING]
    some = [row.name for row in store.jobs(wanted, limit=-1)]
    assert some == ["RUNNING", "array", "PENDING"]
    assert store.jobs([]) == []


def test_jobs_are_found_by_kind_and_name_by_number_alone(store: Store) -> None:
    for name in ("train", "test", "training"):
        store.accept(new_job(name, tasks=1))
    store.accept(replace(new_job("train"), kind="batch"))
    store.save(JobKey(1), Standing(State.RUNNING, {}))
    assert [row.id for row in store.jobs(newest=True)] == [4, 3, 2, 1]
    assert [row.id for row in store.jobs(newest=True, limit=2)] == [4, 3]
    assert [row.id for row in store.jobs(kind="command")] == [3, 2, 1]
    assert [row.id for row in store.jobs(prefix="train", limit=-1)] == [4, 3, 1]
    some = store.jobs([State.PENDING], prefix="train", kind="command")
    assert [row.id for row in some] == [3]
    assert store.jobs([], newest=True) == []


def test_tasks_are_read_in_pages_and_by_state(store: Store) -> None:
    store.accept(new_job(tasks=9))
    for task in (3, 5):
        store.save(JobKey(1, task), Standing(State.FAILED, {}))
    page = store.tasks(1, limit=3, offset=4)
    assert [row.key.task for row in page] == [4, 5, 6]
    failed = store.tasks(1, states=[State.FAILED], limit=1, offset=1)
    assert [row.key.task for row in failed] == [5]
    assert store.tasks(1, states=[]) == []
    assert store.tasks(2) == []


def test_jobs_and_tasks_are_counted_apart(store: Store) -> None:
    assert store.counts() == {}
    one_in_each_state(store)
    store.accept(new_job(tasks=3))
    store.save(JobKey(store.last_job(), 0), Standing(State.RUNNING, {}))
    assert store.counts() == {s: 1 + (s is State.PENDING) for s in State}
    tasks = {State.PENDING: 2, State.RUNNING: 1}
    assert store.task_counts(store.last_job()) == tasks
    assert store.task_counts(1) == {}


def test_a_name_is_found_by_its_beginning(store: Store) -> None:
    for name in ("train", "tra%", "train", "trail", "xtrain", "Train", "tra"):
        store.accept(new_job(name, tasks=1))
    found = [(named.key.number, named.name) for named in store.find_by_name("tra", 9)]
    expected = [(7, "tra"), (2, "tra%"), (4, "trail"), (3, "train"), (1, "train")]
    assert found == expected
    train = store.find_by_name("train", 1)
    assert [(n.key, n.state) for n in train] == [(JobKey(3), State.PENDING)]
    assert store.find_by_name("none", 9) == []


def test_the_nth_newest_is_a_whole_job(store: Store) -> None:
    assert store.nth_newest(0) is None
    for _ in range(3):
        store.accept(new_job(tasks=2))
    newest = [store.nth_newest(n) for n in range(4)]
    assert newest == [JobKey(3), JobKey(2), JobKey(1), None]


@pytest.mark.parametrize(
    "ask",
    [
        lambda s: list(s.pending()),
        lambda s: s.jobs(),
        lambda s: s.tasks(1),
        lambda s: s.counts(),
        lambda s: s.task_counts(1),
        lambda s: s.find_by_name("a", 9),
        lambda s: s.cancel_pending(1, NOW, {}),
        lambda s: s.events(JobKey(1)),
        lambda s: s.save(JobKey(1), Standing(State.RUNNING, {})),
        lambda s: s.request(1),
        lambda s: s.state(JobKey(1)),
        lambda s: s.writing_to("/out/1"),
    ],
)
def test_nothing_goes_through_all_jobs(
    store: Store, ask: Callable[[Store], object]
) -> None:
    said: list[str] = []
    store._db.set_trace_callback(said.append)
    ask(store)
    store._db.set_trace_callback(None)
    asked = [text for text in said if text.startswith(("SELECT", "UPDATE"))]
    assert asked
    for text in asked:
        plan = [row[3] for row in store._db.execute(f"EXPLAIN QUERY PLAN {text}")]
        assert not any("SCAN" in step or "TEMP" in step for step in plan), (text, plan)
