"""The queue of light entries: order, dependencies, limits; against a plain model."""

from __future__ import annotations

import sys
import time
import tracemalloc
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.controller.queue import Entry, JobQueue, Pool
from orchestrator.lifecycle.key import JobKey
from orchestrator.lifecycle.states import State
from orchestrator.spec.job import When


def entry(
    number: int,
    *,
    task: int = -1,
    priority: int = 0,
    limit: int = 0,
    after: tuple[tuple[int, When], ...] = (),
    pool: Pool = Pool.CPU,
) -> Entry:
    seq = number * 100 + task + 1
    return Entry(JobKey(number, task), priority, seq, pool, after=after, limit=limit)


def window(queue: JobQueue, pool: Pool = Pool.CPU) -> list[str]:
    return [str(found.key) for found in queue.window(pool, 99)]


def test_by_priority_then_by_time() -> None:
    queue = JobQueue()
    for number, priority in ((1, 0), (2, 5), (3, 0), (4, -5), (5, 5)):
        queue.add(entry(number, priority=priority))
    assert window(queue) == ["2", "5", "1", "3", "4"]
    assert [queue.position(JobKey(n)) for n in (2, 4, 9)] == [1, 5, None]
    assert queue.first(JobKey(4)) == JobKey(2)
    assert queue.remove(JobKey(5)) is not None
    assert queue.remove(JobKey(5)) is None
    assert window(queue) == ["2", "1", "3", "4"]


def test_the_pools_are_apart() -> None:
    queue = JobQueue()
    queue.add(entry(1, pool=Pool.GPU))
    queue.add(entry(2))
    assert (window(queue, Pool.GPU), window(queue)) == (["1"], ["2"])
    assert queue.first(JobKey(2)) == JobKey(2)


def test_who_comes_after_others_stands_aside() -> None:
    queue = JobQueue()
    queue.add(entry(3, after=((1, When.OK), (2, When.ANY))))
    assert window(queue) == []
    assert JobKey(3) in queue
    assert queue.position(JobKey(3)) is None
    assert queue.ended(1, State.SUCCEEDED) == []
    assert dict(queue.open_after(JobKey(3))) == {2: When.ANY}
    assert queue.ended(2, State.FAILED) == []
    assert window(queue) == ["3"]


def test_who_never_can_start_is_named_and_stays_until_removed() -> None:
    queue = JobQueue()
    for number in (3, 4):
        queue.add(entry(number, after=((1, When.OK), (2, When.OK))))
    assert queue.ended(1, State.FAILED) == [JobKey(3), JobKey(4)]
    for number in (3, 4):
        queue.remove(JobKey(number))
    assert queue.ended(2, State.SUCCEEDED) == []
    assert len(queue) == 0


def test_never_more_tasks_than_the_limit() -> None:
    queue = JobQueue()
    for task in range(4):
        queue.add(entry(1, task=task, limit=2))
    assert window(queue) == ["1.0", "1.1"]
    queue.remove(JobKey(1, 0))
    assert window(queue) == ["1.1"]
    assert queue.held_by_limit(JobKey(1, 2)) == 2
    queue.finished(JobKey(1, 0))
    assert window(queue) == ["1.1", "1.2"]
    queue.remove(JobKey(1, 3))
    for task in (1, 2):
        queue.remove(JobKey(1, task))
        queue.finished(JobKey(1, task))
    assert window(queue) == []


def test_tasks_that_run_already_count() -> None:
    queue = JobQueue()
    queue.runs(JobKey(1, 0), 1)
    queue.add(entry(1, task=1, limit=1))
    assert window(queue) == []
    queue.finished(JobKey(1, 0))
    assert window(queue) == ["1.1"]


# --- against a model ------------------------------------------------------------------


@dataclass
class Model:
    """What a queue is, without any thought of speed."""

    waiting: dict[JobKey, Entry] = field(default_factory=dict)
    open: dict[JobKey, dict[int, When]] = field(default_factory=dict)
    out: set[JobKey] = field(default_factory=set)
    held: list[JobKey] = field(default_factory=list)

    def add(self, new: Entry) -> None:
        self.waiting[new.key] = new
        if new.after:
            self.open[new.key] = dict(new.after)
        else:
            self._let(new.key)

    def remove(self, key: JobKey) -> None:
        self.waiting.pop(key, None)
        self.open.pop(key, None)
        if key in self.held:
            self.held.remove(key)

    def finished(self, key: JobKey) -> None:
        self.out.discard(key)
        for held in list(self.held):
            if held.number == key.number and self._room(self.waiting[held]):
                self.held.remove(held)
                self.out.add(held)

    def ended(self, number: int, state: State) -> list[JobKey]:
        never = []
        for key in sorted(self.open):
            when = self.open[key].pop(number, None)
            if when is not None and not when.allows(state):
                never.append(key)
                # Whoever hears of it takes it out.
                self.open[key][-1] = When.ANY
            elif when is not None and not self.open[key]:
                del self.open[key]
                self._let(key)
        return never

    def _let(self, key: JobKey) -> None:
        if not self.waiting[key].limit or key in self.out:
            return
        if self._room(self.waiting[key]):
            self.out.add(key)
        else:
            self.held.append(key)

    def _room(self, one: Entry) -> bool:
        running = [key for key in self.out if key.number == one.key.number]
        return len(running) < one.limit

    def window(self) -> list[str]:
        able = [
            one
            for key, one in self.waiting.items()
            if key not in self.open and key not in self.held
        ]
        return [str(one.key) for one in sorted(able, key=lambda one: one.place)]


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["add", "start", "finish", "cancel", "end"]),
        st.integers(1, 4),
        st.integers(-1, 3),
        st.sampled_from([-1, 0, 1]),
        st.lists(
            st.tuples(st.integers(5, 7), st.sampled_from(list(When))),
            max_size=2,
            unique_by=lambda pair: pair[0],
        ),
        st.sampled_from([State.SUCCEEDED, State.FAILED]),
    ),
    max_size=40,
)


@given(STEPS)
def test_it_is_what_the_model_is(
    steps: list[tuple[str, int, int, int, list[tuple[int, When]], State]],
) -> None:
    queue, model = JobQueue(), Model()
    running: set[JobKey] = set()
    for what, number, task, priority, after, state in steps:
        # Even jobs are arrays of at most one or two tasks at a time.
        limit = number // 2 if number % 2 == 0 and task >= 0 else 0
        key = JobKey(number, task)
        match what:
            case "add" if key not in model.waiting and key not in running:
                new = entry(
                    number,
                    task=task,
                    priority=priority,
                    limit=limit,
                    after=tuple(after),
                )
                queue.add(new)
                model.add(new)
            case "start" if model.window():
                key = JobKey.parse(model.window()[0])
                queue.remove(key)
                model.remove(key)
                running.add(key)
            case "finish" if running:
                key = min(running)
                running.discard(key)
                queue.finished(key)
                model.finished(key)
            case "cancel" if key in model.waiting:
                queue.remove(key)
                queue.finished(key)
                model.remove(key)
                model.finished(key)
            case "end":
                never = queue.ended(number + 4, state)
                assert never == model.ended(number + 4, state)
                for gone in never:
                    queue.remove(gone)
                    queue.finished(gone)
                    model.remove(gone)
                    model.finished(gone)
            case _:
                pass
        assert window(queue) == model.window()
        assert len(queue) == len(model.waiting)
        assert all(
            queue.position(one) == place
            for place, one in enumerate(map(JobKey.parse, model.window()), 1)
        )


# --- many -----------------------------------------------------------------------------


def test_a_hundred_thousand_jobs_are_light_and_quick() -> None:
    entries = [entry(number, priority=number % 7) for number in range(1, 100_001)]
    tracemalloc.start()
    queue = JobQueue()
    began = time.process_time()
    for one in entries:
        queue.add(one)
    took_s = time.process_time() - began
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    each = held / 100_000 + sys.getsizeof(entries[0]) + 200
    assert each < 1000, "an entry with its key and its places in the order"
    # Tracing makes it several times slower than it is.
    assert took_s < 10
    began = time.process_time()
    for one in entries[::100]:
        queue.position(one.key)
        queue.remove(one.key)
    assert time.process_time() - began < 1
    assert len(queue) == 99_000
