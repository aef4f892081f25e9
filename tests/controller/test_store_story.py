"""What hangs on a job: its story, its attempts, the GPUs it held, its secrets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.controller.store import AttemptRow, EventRow, Store, Usage
from orchestrator.controller.store.events import FIRST_KEPT, LAST_KEPT
from orchestrator.lifecycle.key import JobKey
from orchestrator.lifecycle.states import State
from tests.controller.store_jobs import LATER, NOW, check_whole, new_job

KEY = JobKey(1)
TASK = JobKey(1, 0)
USE = Usage(KEY, "a", "batch", "m", "me", "GPU-1", "local:0", "H200", NOW)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store(tmp_path / "orch.db")) as opened:
        yield opened
    check_whole(tmp_path / "orch.db")


def test_a_jobs_story_is_its_own_and_in_order(store: Store) -> None:
    for number in range(6):
        key = (KEY, TASK)[number % 2]
        event = {"event": "e", "data": {"n": number}}
        store.add_event(key, NOW, event, State.PENDING, [f"do {number}"])
    data = [event.event["data"]["n"] for event in store.events(TASK)]
    assert data == [1, 3, 5]
    expected = EventRow(
        3, NOW, {"event": "e", "data": {"n": 4}}, State.PENDING, ("do 4",)
    )
    assert store.events(KEY, limit=1) == [expected]
    assert store.events(JobKey(2)) == []


def test_of_a_long_story_the_middle_goes_and_it_says_so(store: Store) -> None:
    kept = FIRST_KEPT + LAST_KEPT
    with store.batch():
        for number in range(1, kept + 1):
            store.add_event(KEY, NOW, {"n": number}, State.PENDING, ())
    assert [event.event["n"] for event in store.events(KEY)] == [*range(1, kept + 1)]
    with store.batch():
        for number in range(kept + 1, kept + 251):
            store.add_event(KEY, NOW, {"n": number}, State.PENDING, ())
    story = store.events(KEY)
    assert len(story) == kept + 1
    gap = story.pop(FIRST_KEPT)
    assert gap.event["event"] == "left_out"
    assert gap.event["data"] == {"events": 250}
    first = range(1, FIRST_KEPT + 1)
    last = range(FIRST_KEPT + 251, kept + 251)
    assert [event.event["n"] for event in story] == [*first, *last]


def test_attempts_are_kept_in_order(store: Store) -> None:
    first = AttemptRow(1, State.LOST, "node_lost", "n1 is gone", NOW, LATER)
    second = AttemptRow(2, State.FAILED, "error", "it raised", None, NOW)
    for attempt in (second, first, replace(second, text="it raised E")):
        store.add_attempt(TASK, attempt)
    assert store.attempts(TASK) == [first, replace(second, text="it raised E")]
    assert store.attempts(KEY) == []


def test_a_gpu_is_used_from_its_lease_to_its_return(store: Store) -> None:
    second = replace(USE, gpu="GPU-2", gpu_name="local:1")
    third = replace(USE, key=TASK, started_at=LATER)
    for use in (third, USE, second, replace(USE, started_at=LATER)):
        store.open_usage(use)
    assert store.open_uses() == [USE, second, third]
    store.close_usage(KEY, LATER, gpu="GPU-1")
    store.close_usage(KEY, "2026-01-03", gpu="GPU-1")
    assert store.open_uses() == [second, third]
    ended = replace(USE, finished_at=LATER)
    assert store.usage(NOW) == [ended, second, third]
    assert store.usage("2026-01-03") == [second, third]
    store.close_usage(KEY, LATER)
    assert store.open_uses() == [third]
    again = replace(USE, started_at="2026-01-04")
    store.open_usage(again)
    assert store.open_uses() == [third, again], "a later attempt holds it again"


def test_secrets_are_there_until_the_job_is_over(store: Store) -> None:
    key = store.accept(new_job(tasks=1, secrets={"A": "x", "B": "y"})).key
    other = store.accept(new_job(secrets={"A": "z"})).key
    assert store.secrets(key) == {"A": "x", "B": "y"}
    assert store.secrets(JobKey(key.number, 0)) == store.secrets(key)
    store.drop_secrets(key)
    store.drop_secrets(key)
    assert store.secrets(key) == {}
    assert store.secrets(other) == {"A": "z"}


@pytest.mark.parametrize("batch", [False, True])
def test_a_dropped_secret_is_in_no_file(
    store: Store, tmp_path: Path, batch: bool
) -> None:
    def told() -> list[str]:
        files = [p for p in tmp_path.iterdir() if b"hunter2" in p.read_bytes()]
        return [file.name for file in files]

    row = store.accept(new_job(secrets={"PASSWORD": "hunter2" * 9}))
    assert told(), "it would be found"
    if batch:
        with store.batch(durable=True):
            store.drop_secrets(row.key)
            store.add_event(row.key, NOW, {}, State.SUCCEEDED, ())
    else:
        store.drop_secrets(row.key)
    assert told() == []
