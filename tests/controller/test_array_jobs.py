"""Arrays: tasks side by side, never too many, and what the whole is meanwhile."""

from __future__ import annotations

import threading
from collections import Counter

import pytest

from orchestrator.controller.arrays import array_state
from orchestrator.errors import OrchError
from orchestrator.lifecycle.key import JobKey
from orchestrator.lifecycle.states import State
from tests.controller.plant import Plant

FIVE = {"range": "0-4"}


def counts(two: Plant, job: int) -> dict[str, int]:
    found: dict[str, int] = two.job(job)["tasks"]
    return {state: n for state, n in found.items() if state != "total"}


def end_all(two: Plant, job: int, tasks: int) -> None:
    for task in range(tasks):
        two.end(f"{job}.{task}")


@pytest.mark.parametrize(
    ("tasks", "whole"),
    [
        ({State.PENDING: 3}, State.PENDING),
        ({State.PENDING: 2, State.LOADING: 1}, State.RUNNING),
        ({State.PENDING: 2, State.SUCCEEDED: 1}, State.RUNNING),
        ({State.SUCCEEDED: 3}, State.SUCCEEDED),
        ({State.SUCCEEDED: 2, State.SKIPPED: 1}, State.SKIPPED),
        ({State.SUCCEEDED: 2, State.CANCELLED: 1}, State.CANCELLED),
        ({State.TIMEOUT: 1, State.CANCELLED: 1}, State.TIMEOUT),
        ({State.LOST: 1, State.TIMEOUT: 1}, State.LOST),
        ({State.FAILED: 1, State.LOST: 5, State.SUCCEEDED: 9}, State.FAILED),
    ],
)
def test_the_whole_is_what_its_worst_task_is(
    tasks: dict[State, int], whole: State
) -> None:
    assert array_state(tasks) is whole


def test_every_task_runs_once_and_the_whole_succeeds(two: Plant) -> None:
    job = two.command(array=FIVE, name="five", run="echo {index}")
    assert two.job(job)["tasks"]["total"] == 5
    commands = two.world.node_commands
    two.world.until(lambda: len(commands.running) == 2, "as many as there are cores")
    view = two.until_state(job, "RUNNING")
    assert (view["key"], view["task"], view["started_at"] is None) == (
        str(job),
        None,
        False,
    )
    end_all(two, job, 5)
    view = two.until_state(job, "SUCCEEDED")
    assert counts(two, job) == {"SUCCEEDED": 5}
    assert view["finished_at"]
    assert sorted(commands.finished) == [(JobKey(job, n), 1) for n in range(5)]


def test_each_task_knows_which_it_is(two: Plant) -> None:
    job = two.command(
        array={"matrix": {"size": [1, 2], "name": ["a"]}},
        run=["echo", "{matrix.size}-{matrix.name}-{index}"],
        env={"WHICH": "{matrix.size}"},
        secrets={"KEY": "s3cret"},
    )
    spec = two.started(f"{job}.1").spec
    assert spec.argv == ("echo", "2-a-1")
    assert spec.folder == f"jobs/{job}.1/attempt-1"
    told = {
        "WHICH": "2",
        "KEY": "s3cret",
        "ORCH_ARRAY_INDEX": "1",
        "ORCH_ARRAY_SIZE": "2",
        "ORCH_MATRIX_SIZE": "2",
        "ORCH_MATRIX_NAME": "a",
        "ORCH_JOB_ID": f"{job}.1",
        "ORCH_OUTPUT_DIR": str(two.folder / "out" / str(job) / "1"),
    }
    assert told.items() <= spec.env.items()
    assert two.job(f"{job}.1")["command"]["run"] == "echo 2-a-1"
    end_all(two, job, 2)
    two.until_state(job, "SUCCEEDED")
    assert two.core.store.secrets(JobKey(job)) == {}


def test_never_more_at_once_than_it_says(two: Plant) -> None:
    job = two.command(array={"range": "0-6", "max_parallel": 1})
    commands = two.world.node_commands
    for task in range(7):
        two.started(f"{job}.{task}")
        assert len(commands.running) == 1
        waiting = two.job(f"{job}.6")["waiting"] if task < 6 else []
        assert all(why["tier"] == "limit" for why in waiting)
        two.end(f"{job}.{task}")
    two.until_state(job, "SUCCEEDED")


def test_a_task_that_waits_for_its_retry_lets_another_one_go(two: Plant) -> None:
    retry = {"max": 1, "on": ["error"], "backoff": "0.2s..0.2s"}
    job = two.command(array={"range": "0-1", "max_parallel": 1}, retry=retry)
    two.end(f"{job}.0", 1)
    two.started(f"{job}.1")
    two.until(f"{job}.0", lambda v: not v["not_before"], "its time has come")
    assert two.job(f"{job}.0")["waiting"][0]["tier"] == "limit"
    two.end(f"{job}.1")
    two.end(f"{job}.0", attempt=2)
    two.until_state(job, "SUCCEEDED")


def test_a_limit_on_the_array_holds_nobody_else(two: Plant) -> None:
    job = two.command(array={"range": "0-3", "max_parallel": 1})
    two.started(f"{job}.0")
    two.end(two.command())
    end_all(two, job, 4)


def test_the_whole_failed_if_one_task_did(two: Plant) -> None:
    job = two.command(array={"range": "0-2"})
    two.end(f"{job}.0")
    two.end(f"{job}.1", 1)
    two.end(f"{job}.2")
    two.until_state(job, "FAILED")
    assert counts(two, job) == {"SUCCEEDED": 2, "FAILED": 1}
    failed = two.get(f"/v1/jobs/{job}/tasks?state=FAILED")
    assert [view["key"] for view in failed["jobs"]] == [f"{job}.1"]
    assert failed["counts"] == counts(two, job)


def test_only_what_failed_is_retried(two: Plant) -> None:
    job = two.command(array={"range": "0-2", "max_parallel": 2})
    for task, code in enumerate((1, 0, 2)):
        two.end(f"{job}.{task}", code)
    before = two.until_state(job, "FAILED")["version"]
    view = two.retry(job, "failed")
    assert (view["state"], view["finished_at"]) == ("RUNNING", None)
    assert view["version"] != before
    for task in (0, 2):
        two.end(f"{job}.{task}", attempt=2)
    two.until_state(job, "SUCCEEDED")
    assert two.job(f"{job}.1")["attempt"] == 1
    answer = two.client.post(f"/v1/jobs/{job}/retry", json={"mode": "failed"})
    assert answer.json()["error"]["faults"][0]["code"] == "E304"


def test_one_task_can_be_retried_while_the_others_go_on(two: Plant) -> None:
    job = two.command(array={"range": "0-1"})
    two.started(f"{job}.1")
    two.end(f"{job}.0", 1)
    two.retry(f"{job}.0")
    two.end(f"{job}.0", attempt=2)
    two.end(f"{job}.1")
    two.until_state(job, "SUCCEEDED")


def test_its_tasks_change_its_version(two: Plant) -> None:
    job = two.command(array={"range": "0-2", "max_parallel": 1})
    two.started(f"{job}.0")
    two.until(job, lambda v: v["tasks"].get("RUNNING") == 1, "one runs")
    two.end(f"{job}.0")
    two.until(job, lambda v: v["tasks"].get("SUCCEEDED") == 1, "one is done")
    two.end(f"{job}.1")
    two.until(job, lambda v: v["tasks"].get("SUCCEEDED") == 2, "two are done")
    two.end(f"{job}.2")


def test_tasks_come_page_by_page(two: Plant) -> None:
    job = two.command(array={"range": "0-9"}, after=[two.command(run="sleep 9")])
    page = two.get(f"/v1/jobs/{job}/tasks?limit=3&offset=4")
    assert [view["task"] for view in page["jobs"]] == [4, 5, 6]
    assert page["counts"] == {"PENDING": 10}
    assert {view["command"]["run"] for view in page["jobs"]} == {"true"}
    two.cancel(job)
    every = two.get(f"/v1/jobs/{job}/tasks")["jobs"]
    assert len(every) == 10, "those that are over, too"
    assert {view["cause"] for view in every} == {"cancelled"}


# --- cancel ---------------------------------------------------------------------------


@pytest.mark.parametrize("force", [False, True], ids=["gently", "by force"])
def test_cancel_ends_what_runs_and_what_waits(two: Plant, force: bool) -> None:
    job = two.command(array={"range": "0-5", "max_parallel": 2})
    for task in (0, 1):
        two.started(f"{job}.{task}")
    two.cancel(job, force=force, reason="enough")
    view = two.until_state(job, "CANCELLED")
    assert counts(two, job) == {"CANCELLED": 6}
    assert len(two.world.node_commands.started) == 2, "no other was started"
    assert two.cancel(job) == view
    assert "enough" in two.story(job)[-1]["text"]
    assert not len(two.core.queue)
    two.end(two.command(resources={"cpus": 2}))


def test_cancel_starts_no_task_in_place_of_another(two: Plant) -> None:
    retry = {"max": 1, "on": ["error"], "backoff": "1h..1h"}
    array = {"range": "0-40"}
    job = two.command(array=array, retry=retry, resources={"cpus": 2})
    for task in range(3):
        two.end(f"{job}.{task}", 1)
    two.started(f"{job}.3")
    two.world.node_commands.deaf = True
    two.cancel(job)
    two.world.change(lambda: setattr(two.world, "cores", 9))
    assert two.tasks(job).count("CANCELLED") == 40
    two.cancel(job, force=True)
    two.until_state(job, "CANCELLED")
    assert len(two.world.node_commands.started) == 4


def test_one_task_can_be_cancelled(two: Plant) -> None:
    job = two.command(array={"range": "0-2", "max_parallel": 1})
    two.started(f"{job}.0")
    two.cancel(f"{job}.1")
    two.cancel(f"{job}.0")
    two.end(f"{job}.2")
    two.until_state(job, "CANCELLED")
    assert Counter(two.tasks(job)) == {"CANCELLED": 2, "SUCCEEDED": 1}


def test_a_disk_that_is_full_when_an_array_is_cancelled_changes_nothing(
    two: Plant,
) -> None:
    job = two.command(array={"range": "0-3", "max_parallel": 1})
    two.started(f"{job}.0")
    store = two.core.store
    store._write("PRAGMA query_only = ON", ())
    with pytest.raises(OrchError):
        store._write("DELETE FROM secrets", ())
    answer = two.client.post(f"/v1/jobs/{job}/cancel", json={})
    assert answer.status_code == 409
    store._db.execute("PRAGMA query_only = OFF")
    assert Counter(two.tasks(job)) == {"RUNNING": 1, "PENDING": 3}
    end_all(two, job, 4)


# --- many -----------------------------------------------------------------------------


def test_hundreds_of_tasks_are_dealt_with(two: Plant) -> None:
    two.world.change(lambda: setattr(two.world, "cores", 64))
    two.world.node_commands.at_once = True
    job = two.command(array={"range": "0-299", "max_parallel": 50})
    finished = two.world.node_commands.finished
    two.world.until(lambda: len(finished) == 300, "all have run")
    two.until_state(job, "SUCCEEDED")
    assert len(set(finished)) == 300
    assert threading.active_count() < 150
