"""A controller dies over commands; the next one loses none, and runs none twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from orchestrator.controller.store import NewJob, Standing, Store
from orchestrator.lifecycle.key import JobKey
from orchestrator.lifecycle.states import State
from tests.controller.plant import Generations, Plant

BOTH = {"cpus": 2}
SOON = {"max": 2, "on": ["error", "worker_died", "node_lost"], "backoff": "0.3s..0.3s"}


def held_back(old: Plant) -> int:
    """Accepted, and its start has not reached the node."""
    old.world.starts_held = True
    job = old.command(retry=SOON, secrets={"KEY": "s3cret"})
    old.until_state(job, "LOADING")
    return job


def just_accepted(old: Plant) -> int:
    old.started(old.command(resources=BOTH, timeout={"run": "0.5s"}, retry={"max": 0}))
    return old.command(retry=SOON, secrets={"KEY": "s3cret"})


def running(old: Plant) -> int:
    job = old.command(retry=SOON, secrets={"KEY": "s3cret"})
    old.started(job)
    return job


def before_its_retry(old: Plant) -> int:
    job = running(old)
    old.end(job, 1)
    assert old.job(job)["not_before"]
    return job


def on_its_retry(old: Plant) -> int:
    job = before_its_retry(old)
    old.started(job, 2)
    return job


def behind_another(old: Plant) -> int:
    first = old.command(timeout={"run": "0.4s"}, retry={"max": 0})
    old.started(first)
    after = [{"job": first, "when": "any"}]
    return old.command(retry=SOON, secrets={"KEY": "s3cret"}, after=after)


PHASES = [
    held_back,
    just_accepted,
    running,
    before_its_retry,
    on_its_retry,
    behind_another,
]


@pytest.mark.parametrize("phase", PHASES)
def test_a_command_comes_to_its_end_once(
    generations: Generations, phase: Callable[[Plant], int]
) -> None:
    job = phase(generations.plant)
    attempt = generations.plant.job(job)["attempt"]
    generations.plant.die()
    generations.world.starts_held = False
    new = generations.next()
    assert new.started(job, attempt).spec.env["KEY"] == "s3cret"
    view = new.end(job, attempt=attempt)
    assert (view["state"], view["attempt"]) == ("SUCCEEDED", attempt)
    assert len(view["attempts"]) == attempt - 1
    commands = generations.world.node_commands
    assert [n for k, n in commands.started if k == JobKey(job)] == [
        *range(1, attempt + 1)
    ]
    assert new.core.store.secrets(JobKey(job)) == {}


def test_it_is_the_same_process(generations: Generations) -> None:
    job = running(generations.plant)
    pid = generations.plant.job(job)["command"]["pid"]
    new = generations.next()
    view = new.until(job, lambda v: v["command"]["pid"], "it is found")
    assert (view["command"]["pid"], view["state"]) == (pid, "RUNNING")
    assert view["command"]["node"] == "local"
    new.cancel(job)
    new.until_state(job, "CANCELLED")


def test_what_ended_meanwhile_is_told(generations: Generations) -> None:
    good, bad = running(generations.plant), running(generations.plant)
    generations.plant.die()
    generations.world.end_command(str(good))
    generations.world.end_command(str(bad), 3)
    new = generations.next()
    new.until_state(good, "SUCCEEDED")
    view = new.until(bad, lambda v: v["attempt"] == 2, "another attempt")
    assert view["attempts"][0]["text"] == "the command returned 3"
    new.end(bad, attempt=2)


def test_what_it_holds_of_its_node_is_known(generations: Generations) -> None:
    old = generations.plant
    first = old.command(resources=BOTH)
    old.started(first)
    new = generations.next()
    second = new.command()
    new.until(second, lambda v: v["waiting"][0]["tier"] == "busy", "no room")
    new.end(first)
    new.end(second)


# --- while it stops -------------------------------------------------------------------


def stopping(old: Plant, grace: str) -> int:
    old.world.node_commands.deaf = True
    job = old.command(grace=grace)
    old.started(job)
    assert old.cancel(job)["state"] == "STOPPING"
    return job


def test_what_was_stopping_is_stopped(generations: Generations) -> None:
    job = stopping(generations.plant, "0.3s")
    new = generations.next()
    view = new.until_state(job, "CANCELLED")
    assert view["command"]["signal"] == "SIGKILL"


def test_what_was_stopping_and_ended_meanwhile_is_cancelled(
    generations: Generations,
) -> None:
    job = stopping(generations.plant, "1h")
    generations.plant.die()
    generations.world.end_command(str(job))
    new = generations.next()
    new.until_state(job, "CANCELLED")


def test_what_was_stopping_and_died_with_its_agent_is_cancelled(
    generations: Generations,
) -> None:
    job = stopping(generations.plant, "1h")
    generations.plant.die()
    generations.world.change(generations.world.node_commands.die)
    new = generations.next()
    new.until_state(job, "CANCELLED")
    assert len(generations.world.node_commands.started) == 1


# --- arrays ---------------------------------------------------------------------------


def test_an_array_goes_on_within_its_limit(generations: Generations) -> None:
    old = generations.plant
    job = old.command(array={"range": "0-4", "max_parallel": 1})
    old.end(f"{job}.0")
    old.started(f"{job}.1")
    last = old.command(after=[job])
    new = generations.next()
    new.until(job, lambda v: v["state"] == "RUNNING", "it goes on")
    other = new.command()
    new.end(other)
    commands = generations.world.node_commands
    assert [str(key) for key, _ in commands.running] == [f"{job}.1"]
    for task in range(1, 5):
        new.end(f"{job}.{task}")
        assert len(commands.running) <= 1
    new.until_state(job, "SUCCEEDED")
    new.end(last)
    assert Counter(commands.finished).most_common(1)[0][1] == 1


def test_an_array_whose_last_task_ended_unseen_ends(generations: Generations) -> None:
    old = generations.plant
    job = old.command(array={"range": "0-1"})
    after = old.command(after=[job], resources=BOTH)
    for task in range(2):
        old.end(f"{job}.{task}")
    old.until_state(job, "SUCCEEDED")
    old.started(after)
    old.die()
    store = Store(old.folder / "orch.db")
    row = store.job(JobKey(job))
    assert row is not None
    store.save(row.key, Standing(State.RUNNING, row.view))
    store.close()
    new = generations.next()
    new.until_state(job, "SUCCEEDED")
    new.end(after)


def test_a_cancelled_array_stays_so(generations: Generations) -> None:
    old = generations.plant
    old.world.node_commands.deaf = True
    job = old.command(array={"range": "0-5"}, grace="0.2s")
    for task in (0, 1):
        old.started(f"{job}.{task}")
    old.cancel(job)
    new = generations.next()
    new.until_state(job, "CANCELLED")
    assert len(generations.world.node_commands.started) == 2
    assert new.tasks(job) == ["CANCELLED"] * 6


# --- what cannot be read --------------------------------------------------------------


@pytest.mark.parametrize("not_before", [None, "2026-01-01T00:00:00.000+00:00"])
@pytest.mark.parametrize("needs", [{"pool": "cpu"}, {"pool": "gpu"}, {"queue_s": 9}])
def test_jobs_that_cannot_be_read_any_more_fail_alone(
    generations: Generations, not_before: str | None, needs: dict[str, object]
) -> None:
    old = generations.plant
    good = old.command(resources=BOTH)
    old.started(good)
    last = old.command(resources=BOTH)
    broken = NewJob(
        "command",
        "bad",
        {"spec": {}},
        "/out",
        "2026-01-01T00:00:00Z",
        not_before=not_before,
        needs=needs,
        priority=100,
    )
    bad = old.core.store.accept(broken).id
    after = old.command(after=[{"job": bad, "when": "fail"}])
    new = generations.next()
    new.end(good)
    view = new.until(bad, lambda v: v["state"] == "FAILED", "it is given up")
    assert [fault["code"] for fault in view["faults"]] == ["E203"]
    new.end(last)
    new.end(after)


def test_entries_say_what_the_store_says(generations: Generations) -> None:
    old = generations.plant
    old.started(old.command(resources=BOTH, timeout={"run": "2s"}, retry={"max": 0}))
    for priority in (0, 5, -5):
        old.command(priority=priority, resources={"cpus": 0.5, "memory": "1MiB"})
    old.command(array={"range": "0-3", "max_parallel": 2})

    def entries(plant: Plant) -> dict[str, object]:
        queue = plant.core.queue
        return {str(key): queue.entry(key) for key in queue.keys()}  # noqa: SIM118

    before = entries(old)
    assert len(before) == 7
    assert entries(generations.next()) == before
    for number in range(1, 6):
        generations.plant.cancel(number)
