"""Jobs that come after others: when they start, and when they never will."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.lifecycle.key import JobKey
from tests.controller.plant import Plant, command_for


def after(job: int, when: str = "ok") -> list[dict[str, Any]]:
    return [{"job": job, "when": when}]


WAYS = [
    ("ok", 0, "SUCCEEDED"),
    ("ok", 1, "SKIPPED"),
    ("any", 0, "SUCCEEDED"),
    ("any", 1, "SUCCEEDED"),
    ("fail", 0, "SKIPPED"),
    ("fail", 1, "SUCCEEDED"),
]


@pytest.mark.parametrize(("when", "code", "state"), WAYS)
@pytest.mark.parametrize("ended", [False, True], ids=["to come", "over already"])
def test_after_a_job(two: Plant, when: str, code: int, state: str, ended: bool) -> None:
    first = two.command()
    two.started(first)
    if ended:
        two.end(first, code)
    second = two.command(after=after(first, when))
    if not ended:
        view = two.job(second)
        assert view["state"] == "PENDING"
        assert view["position"] is None
        (why,) = view["waiting"]
        assert (why["tier"], why["data"]["job"]) == ("dependency", str(first))
        two.end(first, code)
    if state == "SUCCEEDED":
        two.end(second)
    view = two.until_state(second, state)
    assert view["cause"] == ("dependency" if state == "SKIPPED" else "")
    assert view["after"] == after(first, when)


@pytest.mark.parametrize(("when", "code", "state"), WAYS)
@pytest.mark.parametrize("ended", [False, True], ids=["to come", "over already"])
def test_an_array_after_an_array(
    two: Plant, when: str, code: int, state: str, ended: bool
) -> None:
    def end_first() -> None:
        two.end(f"{first}.0")
        two.end(f"{first}.1", code)
        two.until(first, lambda v: v["finished_at"], "all of it is over")

    first = two.command(array={"range": "0-1"})
    if ended:
        end_first()
    second = two.command(
        array={"range": "0-2", "max_parallel": 2}, after=after(first, when)
    )
    if not ended:
        assert two.job(second)["waiting"][0]["tier"] == "dependency"
        assert two.job(f"{second}.2")["waiting"][0]["tier"] == "dependency"
        end_first()
    if state == "SUCCEEDED":
        for task in range(3):
            two.end(f"{second}.{task}")
    view = two.until_state(second, state)
    assert view["tasks"] == {"total": 3, state: 3}
    assert not len(two.core.queue)


def test_skips_run_down_a_chain(two: Plant) -> None:
    first = two.command()
    two.started(first)
    second = two.command(after=after(first))
    third = two.command(array={"range": "0-1"}, after=after(second))
    fourth = two.command(after=after(third))
    other = two.command(after=after(third, "fail"))
    two.end(first, 1)
    for job in (second, third, fourth):
        two.until_state(job, "SKIPPED")
    two.end(other)
    assert two.world.node_commands.started == [(JobKey(first), 1), (JobKey(other), 1)]


def test_of_several_all_must_have_ended(two: Plant) -> None:
    jobs = [two.command(), two.command()]
    for job in jobs:
        two.started(job)
    last = two.command(after=jobs)
    two.end(jobs[1])
    (why,) = two.job(last)["waiting"]
    assert why["data"]["job"] == str(jobs[0])
    two.end(jobs[0])
    two.end(last)


def test_a_batch_job_comes_after_a_command(two: Plant) -> None:
    first = two.command()
    two.started(first)
    second = two.submit(after=after(first))
    assert two.job(second)["state"] == "PENDING"
    two.end(first)
    two.running(second)


def test_a_cancelled_job_skips_those_after_it(two: Plant) -> None:
    first = two.command()
    two.started(first)
    second = two.command(after=after(first))
    third = two.command(after=after(second, "any"))
    two.cancel(second)
    two.until_state(second, "CANCELLED")
    two.end(third)
    two.end(first)


def test_while_a_job_waits_for_its_retry_those_after_it_wait(two: Plant) -> None:
    retry = {"max": 1, "on": ["error"], "backoff": "0.05s..0.05s"}
    first = two.command(retry=retry)
    second = two.command(after=after(first))
    two.end(first, 1)
    assert two.job(second)["state"] == "PENDING"
    two.end(first, attempt=2)
    two.end(second)


def test_a_skipped_job_can_be_retried(two: Plant) -> None:
    first = two.command()
    second = two.command(after=after(first))
    two.end(first, 1)
    two.until_state(second, "SKIPPED")
    two.retry(second)
    two.end(second, attempt=2)


def test_after_a_job_that_is_not_there(two: Plant) -> None:
    for number in (99, 10**17):
        body = command_for(two.folder, after=[number])
        answer = two.client.post("/v1/jobs", json=body)
        assert answer.status_code == 404
        assert answer.json()["error"]["faults"][0]["code"] == "E301"
    assert two.get("/v1/jobs?all=1")["jobs"] == []
