"""The HTTP API: who may call, what a wrong call gets, and how one waits for a job."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from starlette.testclient import TestClient

from orchestrator.controller.bodies import MAX_BODY_BYTES
from orchestrator.controller.changes import Changes
from orchestrator.errors import Code, Fault
from orchestrator.lifecycle.key import JobKey
from tests.controller.malformed import malformed, malformed_commands
from tests.controller.plant import TOKEN, Plant, command_for, request_for

CALLS = [
    ("GET", "/v1/health"),
    ("GET", "/v1/jobs"),
    ("POST", "/v1/jobs"),
    ("POST", "/v1/plan"),
    ("GET", "/v1/jobs/1"),
    ("POST", "/v1/jobs/1/cancel"),
    ("GET", "/v1/gpus"),
    ("POST", "/v1/shutdown"),
]


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": ""},
        {"Authorization": TOKEN},
        {"Authorization": "Bearer"},
        {"Authorization": f"Bearer {TOKEN}x"},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": b"Bearer \xff\xfe"},
    ],
    ids=str,
)
def test_without_the_token_nothing_is_answered(
    two: Plant, headers: dict[str, str]
) -> None:
    stranger = TestClient(two.client.app, headers=headers)
    for method, path in CALLS:
        answer = stranger.request(method, path)
        assert answer.status_code == 401, (method, path)
        assert [f["code"] for f in faults(answer.text)] == ["E303"]
    assert two.shutdowns == 0


def faults(text: str) -> list[dict[str, Any]]:
    """The faults of a clean error: each can be read back by the client."""
    document = json.loads(text)
    assert set(document) == {"error"}
    found: list[dict[str, Any]] = document["error"]["faults"]
    assert found
    for fault in found:
        assert Fault.from_json(fault).message
    return found


def test_hundreds_of_wrong_calls_get_a_clean_error_and_change_nothing(
    two: Plant,
) -> None:
    job = two.submit()
    two.running(job)
    before = two.client.get("/v1/jobs?all=1").json()
    calls = list(malformed(request_for(two.folder)))
    calls += malformed_commands(command_for(two.folder))
    assert len(calls) >= 200
    for method, path, body in calls:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        content = None if body is None else raw
        answer = two.client.request(method, path, content=content)
        what = (method, path[:60], raw[:200], answer.text[:300])
        # A plan is a question: that a job can never run is its answer.
        if path == "/v1/plan" and answer.status_code == 200:
            assert not answer.json()["diagnosis"]["ever"], what
            continue
        assert 400 <= answer.status_code < 500, what
        assert "Traceback" not in answer.text
        assert "E900" not in [fault["code"] for fault in faults(answer.text)], what
    assert two.client.get("/v1/jobs?all=1").json() == before
    assert two.shutdowns == 0


def test_a_body_without_end_is_cut_off(two: Plant) -> None:
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        while sent < 2 * MAX_BODY_BYTES:
            sent += 1 << 20
            yield b" " * (1 << 20)

    answer = two.client.post("/v1/jobs", content=endless())
    assert answer.status_code == 400
    assert "32 MiB" in faults(answer.text)[0]["message"]


def test_health_says_who_answers(two: Plant) -> None:
    answer = two.client.get("/v1/health").json()
    assert answer == {"version": "1", "nodes": ["local"]}


def test_it_can_be_told_to_stop(two: Plant) -> None:
    assert two.client.post("/v1/shutdown").json() == {}
    assert two.shutdowns == 1


def test_waiting_for_a_job_ends_when_it_changes(two: Plant) -> None:
    job = two.submit()
    two.running(job)
    runner = two.world.runner(job)
    runner.with_replicas(2)
    runner.say(rows_done=1)
    view = two.until(job, lambda v: v["progress"]["rows_done"] == 1, "1 row")
    query = f"after={view['version']}&wait=30"

    def wait() -> Any:  # noqa: ANN401
        return two.client.get(f"/v1/jobs/{job}?{query}").json()["job"]

    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(wait) for _ in range(4)]
        runner.say(rows_done=7)
        views = [future.result(timeout=10) for future in waiting]
    assert [view["progress"]["rows_done"] for view in views] == [7] * 4


def test_a_change_wakes_those_who_listen_to_this_job_and_then_forgets() -> None:
    async def listen() -> None:
        changes = Changes()
        job, other = JobKey(1), JobKey(2)
        mine, others = changes.listen(job), changes.listen(other)
        await asyncio.to_thread(changes.notify, job)
        await asyncio.wait_for(mine.wait(), 5)
        assert not others.is_set()
        changes.forget(job, mine)
        changes.forget(other, others)
        changes.notify(job)

    asyncio.run(listen())


def test_waiting_ends_after_its_time(two: Plant) -> None:
    job = two.submit()
    two.running(job)
    version = 10**9
    answer = two.client.get(f"/v1/jobs/{job}?after={version}&wait=0.05")
    assert answer.json()["job"]["state"] == "RUNNING"


def test_nobody_waits_for_what_is_newer_already(two: Plant) -> None:
    job = two.submit()
    two.running(job)
    answer = two.client.get(f"/v1/jobs/{job}?after=0&wait=30")
    assert answer.json()["job"]["version"] > 0


@pytest.mark.parametrize("wait", ["nan", "inf", "-5", "1e400"])
def test_strange_times_are_bad_values(two: Plant, wait: str) -> None:
    job = two.submit()
    two.running(job)
    answer = two.client.get(f"/v1/jobs/{job}?after=0&wait={wait}")
    assert answer.status_code == 400
    assert answer.json()["error"]["faults"][0]["code"] == "E203"


def test_versions_grow_with_every_change(two: Plant) -> None:
    job = two.submit()
    two.running(job)
    versions = [two.job(job)["version"]]
    two.world.runner(job).finish()
    versions.append(two.until_state(job, "SUCCEEDED")["version"])
    assert versions == sorted(set(versions))


def test_what_goes_out_of_the_door_is_plain_json(two: Plant) -> None:
    job = two.submit()
    two.running(job)
    two.submit()
    for path in ("/v1/jobs?all=1", "/v1/gpus", f"/v1/jobs/{job}"):
        text = two.client.get(path).text
        json.loads(text, parse_constant=pytest.fail)


def test_a_fault_keeps_its_status(two: Plant) -> None:
    answer = two.client.get("/v1/jobs/77")
    assert answer.status_code == 404
    (fault,) = faults(answer.text)
    assert fault["code"] == Code.NO_SUCH_JOB
    assert fault["exit_code"] == 6
