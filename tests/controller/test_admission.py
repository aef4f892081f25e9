"""What is taken in, what is refused and with which exit code; and what stays secret."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from orchestrator.lifecycle.key import JobKey
from tests.controller.plant import Generations, Plant, command_for, request_for

BOTH = {"cpus": 2}
SECRET = "s3cr3t-v4lue"


def refused(two: Plant, body: object, status: int, path: str = "/v1/jobs") -> Any:  # noqa: ANN401
    """The first fault of a refusal; nothing is queued by it."""
    before = two.get("/v1/jobs?all=1")["counts"]
    answer = two.client.post(path, json=body)
    assert answer.status_code == status, answer.text
    assert two.get("/v1/jobs?all=1")["counts"] == before
    return answer.json()["error"]["faults"][0]


def at_once(two: Plant, **sections: Any) -> dict[str, Any]:  # noqa: ANN401
    return {**command_for(two.folder, **sections), "wait_start_s": 0}


# --- now or not at all ----------------------------------------------------------------


def test_a_command_that_starts_at_once_is_taken(two: Plant) -> None:
    two.world.until(lambda: two.core.rooms, "the nodes have reported")
    job = two.post("/v1/jobs", at_once(two))["job"]["id"]
    two.end(job)


def test_a_command_that_would_wait_for_cores_is_refused(two: Plant) -> None:
    first = two.command()
    two.started(first)
    fault = refused(two, at_once(two, resources=BOTH), 409)
    assert fault["exit_code"] == 4
    assert "cores" in fault["message"]
    two.end(two.post("/v1/jobs", at_once(two))["job"]["id"])
    two.end(first)


def test_a_command_that_would_wait_behind_another_is_refused(two: Plant) -> None:
    first, second = two.command(), two.command(resources=BOTH)
    two.started(first)
    fault = refused(two, at_once(two), 409)
    assert (fault["exit_code"], f"job {second} waits" in fault["message"]) == (4, True)


def test_a_command_that_comes_after_another_is_refused(two: Plant) -> None:
    first = two.command()
    two.started(first)
    fault = refused(two, at_once(two, after=[first]), 409)
    assert (fault["exit_code"], f"job {first}" in fault["message"]) == (4, True)
    two.end(first)
    two.end(two.post("/v1/jobs", at_once(two, after=[first]))["job"]["id"])


def test_a_batch_job_without_a_place_now_is_refused(two: Plant) -> None:
    job = two.submit()
    two.running(job)
    body = {**request_for(two.folder), "wait_start_s": 0}
    assert refused(two, body, 409)["exit_code"] == 4
    two.world.runner(job).finish()
    two.until_state(job, "SUCCEEDED")
    two.world.until(lambda: not two.world.leases, "the GPUs are free")
    two.running(two.post("/v1/jobs", body)["job"]["id"])


# --- never ----------------------------------------------------------------------------


@pytest.mark.parametrize("resources", [{"cpus": 3}, {"memory": "9GiB"}])
def test_more_than_any_node_has_is_refused(
    two: Plant, resources: dict[str, object]
) -> None:
    two.world.until(lambda: two.core.rooms, "the nodes have reported")
    fault = refused(two, command_for(two.folder, resources=resources), 400)
    assert fault["exit_code"] == 5
    assert "the largest, 'local', has 2 cores" in fault["facts"][0]
    array = command_for(two.folder, resources=resources, array={"range": "0-1"})
    assert refused(two, array, 400)["exit_code"] == 5


def test_a_command_has_no_plan(two: Plant) -> None:
    assert refused(two, command_for(two.folder), 400, "/v1/plan")["code"] == "E203"


# --- what does not fit together -------------------------------------------------------


def test_names_of_other_documents_mean_nothing_here(two: Plant) -> None:
    fault = refused(two, command_for(two.folder, after=["prepare"]), 400)
    assert (fault["code"], "'prepare'" in fault["message"]) == ("E203", True)


def test_results_go_where_no_other_job_writes_its_own(two: Plant) -> None:
    fixed = {"output": {"path": str(two.folder / "fixed")}}
    job = two.submit(**fixed)
    two.running(job)
    fault = refused(two, request_for(two.folder, **fixed), 409)
    assert (fault["code"], f"job {job}" in fault["message"]) == ("E304", True)
    after = two.submit(**fixed, after=[job])
    two.world.runner(job).finish()
    two.world.runner(after).finish()
    two.until_state(after, "SUCCEEDED")


def test_commands_may_share_a_folder(two: Plant) -> None:
    fixed = {"output": {"path": str(two.folder / "fixed")}}
    jobs = [two.command(**fixed) for _ in range(2)]
    for job in jobs:
        two.end(job)


def test_an_output_that_cannot_be_made_is_refused(two: Plant) -> None:
    (two.folder / "file").write_text("")
    output = {"path": str(two.folder / "file" / "{id}")}
    fault = refused(two, command_for(two.folder, output=output), 409)
    assert fault["code"] == "E304"


@pytest.mark.parametrize(
    "env", [{"": "x"}, {"A=B": "x"}, {"A": "x\0y"}, {"A": 5}, ["A"], {"A": None}]
)
@pytest.mark.parametrize("part", ["env", "secrets"])
def test_an_environment_that_no_process_can_have_is_refused(
    two: Plant, part: str, env: object
) -> None:
    body = {**command_for(two.folder), part: env}
    assert refused(two, body, 400)["code"] == "E203"


def test_a_secret_that_did_not_come_is_missed(two: Plant) -> None:
    body = {**command_for(two.folder, secrets={"KEY": SECRET}), "secrets": {}}
    fault = refused(two, body, 400)
    assert (fault["code"], "KEY" in fault["message"]) == ("E202", True)


def test_what_is_larger_than_allowed_is_refused(two: Plant) -> None:
    body = command_for(two.folder)
    body["source"]["text"] = "x" * (33 << 20)
    fault = refused(two, body, 400)
    assert "32 MiB" in fault["message"]


# --- secrets --------------------------------------------------------------------------


def everything(two: Plant, job: int) -> str:
    """All that the API says of a job, and all that is stored of it but secrets."""
    paths = ("", "/story", "/logs", "/tasks")
    told = [two.client.get(f"/v1/jobs/{job}{path}").text for path in paths]
    told.append(two.client.get("/v1/jobs?all=1").text)
    store = two.core.store
    tables = ("requests", "jobs", "events", "attempts")
    told += [repr(store._read(f"SELECT * FROM {table}")) for table in tables]
    return "\n".join(told)


def files_with(folder: Path, text: str) -> list[str]:
    return [
        file.name
        for file in folder.rglob("*")
        if file.is_file() and text.encode() in file.read_bytes()
    ]


@pytest.mark.parametrize("array", [None, {"range": "0-1"}])
def test_a_secret_is_told_to_nobody_but_its_command(
    two: Plant, array: dict[str, str] | None
) -> None:
    retry = {"max": 1, "on": ["error"], "backoff": "0.01s..0.01s"}
    body = command_for(two.folder, secrets={"KEY": SECRET}, array=array, retry=retry)
    answer = two.post("/v1/jobs", body)
    job = answer["job"]["id"]
    assert SECRET not in json.dumps(answer)
    keys = [f"{job}.0", f"{job}.1"] if array else [str(job)]
    for key in keys:
        assert two.started(key).spec.env["KEY"] == SECRET
        two.end(key, 1)
        assert two.started(key, 2).spec.redact == (SECRET,)
    assert SECRET not in everything(two, job)
    for key in keys:
        two.end(key, attempt=2)
    two.until_state(job, "SUCCEEDED")
    assert SECRET not in everything(two, job)
    assert two.core.store.secrets(JobKey(job)) == {}
    assert files_with(two.folder, SECRET) == []


def test_a_secret_of_a_cancelled_array_is_forgotten(two: Plant) -> None:
    job = two.command(secrets={"KEY": SECRET}, array={"range": "0-3"})
    two.cancel(job)
    two.until_state(job, "CANCELLED")
    assert two.core.store.secrets(JobKey(job)) == {}


def test_what_was_accepted_is_there_after_a_death(generations: Generations) -> None:
    old = generations.plant
    first = old.command(resources=BOTH)
    old.started(first)
    jobs = [old.command() for _ in range(5)]
    array = old.command(array={"range": "0-3", "max_parallel": 2}, after=[jobs[-1]])
    new = generations.next()
    for job in (first, *jobs):
        new.end(job)
    for task in range(4):
        new.end(f"{array}.{task}")
    new.until_state(array, "SUCCEEDED")
