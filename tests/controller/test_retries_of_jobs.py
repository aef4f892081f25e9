"""Attempts: which endings are followed by another one, when, and with what."""

from __future__ import annotations

import pytest

from orchestrator.errors import Code, Fault
from orchestrator.lifecycle.key import JobKey
from tests.controller.plant import Plant, View

SOON = {"backoff": "0.01s..0.02s"}


def waits_for_retry(view: View) -> bool:
    return bool(view["not_before"])


def test_an_exit_code_that_is_listed_is_tried_again(two: Plant) -> None:
    job = two.command(retry={"max": 2, "exit_codes": [75], **SOON})
    two.end(job, 75)
    two.end(job, 75, attempt=2)
    view = two.end(job, 0, attempt=3)
    assert (view["state"], view["attempt"], view["cause"]) == ("SUCCEEDED", 3, "")
    past = [(a["attempt"], a["state"], a["cause"]) for a in view["attempts"]]
    assert past == [(1, "FAILED", "exit_nonzero"), (2, "FAILED", "exit_nonzero")]
    assert all(a["started_at"] <= a["finished_at"] for a in view["attempts"])
    folders = [two.world.node_commands.started[n][1] for n in range(3)]
    assert folders == [1, 2, 3]


@pytest.mark.parametrize(
    ("retry", "code", "attempts"),
    [
        ({"max": 2, **SOON}, 1, 1),
        ({"max": 2, "exit_codes": [75], **SOON}, 1, 1),
        ({"max": 1, "on": ["error"], **SOON}, 1, 2),
        ({"max": 0, "on": ["error"], "exit_codes": [1], **SOON}, 1, 1),
    ],
)
def test_as_often_as_the_job_file_says(
    two: Plant, retry: dict[str, object], code: int, attempts: int
) -> None:
    job = two.command(retry=retry)
    for attempt in range(1, attempts + 1):
        two.end(job, code, attempt)
    view = two.until_state(job, "FAILED")
    assert view["attempt"] == attempts
    assert len(view["attempts"]) == attempts - 1


def test_while_it_waits_for_its_time_it_is_not_in_the_queue(two: Plant) -> None:
    retry = {"max": 1, "on": ["error"], "backoff": "1h..1h"}
    job = two.command(retry=retry, resources={"cpus": 2})
    view = two.end(job, 1)
    assert (view["state"], view["position"]) == ("PENDING", None)
    assert [why["tier"] for why in view["waiting"]] == ["not_before"]
    assert view["not_before"] > view["attempts"][0]["finished_at"]
    assert JobKey(job) not in two.core.queue
    two.end(two.command(resources={"cpus": 2}))


def test_a_batch_job_gets_another_attempt_with_all_its_gpus(two: Plant) -> None:
    retry = {"max": 1, "on": ["worker_died"], "backoff": "0.3s..0.3s"}
    job = two.submit(retry=retry)
    two.running(job)
    first = two.world.runner(job)
    two.world.faults.update(
        {gpu: Fault(Code.GPU_FAILED_TO_INITIALISE, "no") for gpu in ("GPU-0", "GPU-1")}
    )
    for replica in first.with_replicas(2):
        first.lose(replica, Fault(Code.GPU_LOST, "it died"))
    view = two.until(job, lambda v: v["attempt"] == 2, "another attempt")
    two.world.change(two.world.faults.clear)
    assert view["attempts"][0]["cause"] == "gpu_failed"
    two.running(job)
    second = two.world.runner(job, other_than=first)
    assert second.job is not None
    assert first.job is not None
    assert second.job.run == first.job.run, "finished rows are kept"
    second.finish()
    two.until_state(job, "SUCCEEDED")


def test_a_model_that_is_not_right_is_not_tried_again(two: Plant) -> None:
    two.world.faults["GPU-0"] = Fault(Code.MODEL_FAILED_TO_LOAD, "weights")
    job = two.submit(retry={"max": 5, "on": ["error", "worker_died"], **SOON})
    assert two.until_state(job, "FAILED")["attempt"] == 1


def test_somebody_asks_for_another_attempt(two: Plant) -> None:
    job = two.command()
    two.end(job, 1)
    view = two.retry(job)
    assert view["state"] in ("PENDING", "LOADING", "RUNNING")
    assert (view["attempt"], view["finished_at"]) == (2, None)
    view = two.end(job, 0, attempt=2)
    assert view["state"] == "SUCCEEDED"
    assert [a["attempt"] for a in view["attempts"]] == [1]
    assert two.job(job) == view


def test_versions_grow_over_attempts_and_retries(two: Plant) -> None:
    job = two.command(retry={"max": 1, "on": ["error"], **SOON})
    two.started(job)
    seen = [two.job(job)["version"]]
    seen.append(two.end(job, 1)["version"])
    two.started(job, 2)
    seen.append(two.job(job)["version"])
    seen.append(two.end(job, 1, attempt=2)["version"])
    seen.append(two.retry(job)["version"])
    two.started(job, 3)
    seen.append(two.job(job)["version"])
    seen.append(two.end(job, 0, attempt=3)["version"])
    assert seen == sorted(set(seen))


def test_what_is_not_over_cannot_be_retried(two: Plant) -> None:
    job = two.command()
    two.started(job)
    answer = two.client.post(f"/v1/jobs/{job}/retry", json={})
    assert answer.status_code == 409
    two.end(job)
    answer = two.client.post(f"/v1/jobs/{job}/retry", json={"mode": "failed"})
    assert answer.json()["error"]["faults"][0]["code"] == "E304"
    two.retry(job, "scratch")
    two.end(job, attempt=2)


def test_secrets_live_through_all_attempts_and_no_longer(two: Plant) -> None:
    retry = {"max": 1, "on": ["error"], **SOON}
    job = two.command(secrets={"KEY": "s3cret"}, retry=retry)
    two.end(job, 1)
    assert two.started(job, 2).spec.env["KEY"] == "s3cret"
    two.end(job, 1, attempt=2)
    assert two.core.store.secrets(JobKey(job)) == {}
    answer = two.client.post(f"/v1/jobs/{job}/retry", json={})
    assert answer.status_code == 409
    assert "secrets" in answer.json()["error"]["faults"][0]["message"]
    assert two.job(job)["state"] == "FAILED"
