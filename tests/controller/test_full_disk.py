"""A disk that takes no more: what is promised is refused, what goes on goes on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from orchestrator.lifecycle.key import JobKey
from tests.controller.plant import Generations, Plant, command_for

SOON = {"max": 1, "on": ["error"], "backoff": "0.01s..0.01s"}


@contextmanager
def full_disk(two: Plant) -> Iterator[None]:
    """SQLite refuses every write, as on a disk that is full."""
    store = two.core.store
    _pragma(two, "ON")
    try:
        yield
    finally:
        _pragma(two, "OFF")
    assert store._read("PRAGMA query_only") == [(0,)]


def _pragma(two: Plant, value: str) -> None:
    store = two.core.store
    with store._lock:
        store._db.execute(f"PRAGMA query_only = {value}")


def saved(two: Plant, key: JobKey) -> str:
    state = two.core.store.state(key)
    assert state is not None
    return str(state)


def until_saved(two: Plant, key: JobKey, state: str) -> None:
    two.world.until(
        lambda: not two.core.records.unsaved and saved(two, key) == state,
        "it is stored",
    )


def test_nothing_is_accepted(two: Plant) -> None:
    with full_disk(two):
        answer = two.client.post("/v1/jobs", json=command_for(two.folder))
        assert answer.status_code == 409
        (fault,) = answer.json()["error"]["faults"]
        assert fault["code"] == "E304"
        assert "cannot be written" in fault["message"]
    assert two.get("/v1/jobs?all=1")["jobs"] == []
    two.end(two.command())


def test_a_command_goes_on_to_its_end_and_is_stored_later(two: Plant) -> None:
    job = two.command(secrets={"KEY": "s3cret"})
    two.started(job)
    with full_disk(two):
        view = two.end(job)
        assert view["state"] == "SUCCEEDED"
        assert two.cancel(job)["state"] == "SUCCEEDED", "what is over stays so"
        assert two.client.post(f"/v1/jobs/{job}/retry", json={}).status_code == 409
        assert saved(two, JobKey(job)) == "RUNNING"
    until_saved(two, JobKey(job), "SUCCEEDED")
    assert two.job(job)["state"] == "SUCCEEDED"
    assert two.core.store.secrets(JobKey(job)) == {}
    assert len(two.core.store.attempts(JobKey(job))) == 1


def test_who_waits_for_it_starts(two: Plant) -> None:
    first = two.command(resources={"cpus": 2})
    two.started(first)
    second, third = two.command(resources={"cpus": 2}), two.command(after=[first])
    with full_disk(two):
        two.end(first)
        two.started(second)
        two.end(second)
        two.end(third)
    for job in (first, second, third):
        until_saved(two, JobKey(job), "SUCCEEDED")


def test_who_comes_after_it_later_is_not_forgotten(two: Plant) -> None:
    first = two.command()
    two.started(first)
    with full_disk(two):
        two.end(first, 1)
        two.world.until(
            lambda: JobKey(first) in two.core.records.unsaved, "it is not stored"
        )
        # The disk takes this one, and not yet what became of the other.
        _pragma(two, "OFF")
        second = two.command(after=[{"job": first, "when": "fail"}])
    two.end(second)


def test_it_can_be_cancelled(two: Plant) -> None:
    job = two.command()
    two.started(job)
    with full_disk(two):
        two.cancel(job)
        two.until_state(job, "CANCELLED")
    until_saved(two, JobKey(job), "CANCELLED")


def test_attempts_are_not_lost(two: Plant) -> None:
    job = two.command(retry=SOON)
    two.started(job)
    with full_disk(two):
        two.end(job, 1)
        view = two.end(job, 0, attempt=2)
        assert len(view["attempts"]) == 1
    until_saved(two, JobKey(job), "SUCCEEDED")
    stored = two.core.store.attempts(JobKey(job))
    assert [(row.attempt, str(row.state)) for row in stored] == [
        (1, "FAILED"),
        (2, "SUCCEEDED"),
    ]


def test_an_array_comes_to_its_end(two: Plant) -> None:
    job = two.command(array={"range": "0-3", "max_parallel": 2})
    after = two.command(after=[job])
    two.started(f"{job}.0")
    with full_disk(two):
        for task in range(4):
            two.end(f"{job}.{task}")
    two.until_state(job, "SUCCEEDED")
    two.end(after)
    assert Counter(two.tasks(job)) == {"SUCCEEDED": 4}


def test_a_retry_is_refused_and_the_job_stays(two: Plant) -> None:
    job = two.command()
    view = two.end(job, 1)
    with full_disk(two):
        assert two.client.post(f"/v1/jobs/{job}/retry", json={}).status_code == 409
    assert two.job(job) == view
    assert JobKey(job) not in two.core.jobs
    two.retry(job)
    two.end(job, attempt=2)


def test_a_batch_job_goes_on_to_its_end(two: Plant) -> None:
    job = two.submit()
    two.running(job)
    runner = two.world.runner(job)
    with full_disk(two):
        runner.finish()
        view = two.until_state(job, "SUCCEEDED")
        assert view["results"]
        two.world.until(lambda: not two.world.leases, "the GPUs are free")
    until_saved(two, JobKey(job), "SUCCEEDED")
    two.world.until(lambda: not two.core.store.open_uses(), "the use is over")
    two.world.until(lambda: not two.core.store.engines(), "no engine is left")
    two.running(two.submit())


def test_a_batch_job_can_start(two: Plant) -> None:
    first = two.submit()
    two.running(first)
    second = two.submit()
    with full_disk(two):
        two.world.runner(first).finish()
        two.running(second)
    until_saved(two, JobKey(first), "SUCCEEDED")
    until_saved(two, JobKey(second), "RUNNING")


def test_what_was_stored_late_is_there_after_a_death(generations: Generations) -> None:
    old = generations.plant
    job = old.command()
    old.started(job)
    with full_disk(old):
        old.end(job)
    until_saved(old, JobKey(job), "SUCCEEDED")
    assert generations.next().job(job)["state"] == "SUCCEEDED"
