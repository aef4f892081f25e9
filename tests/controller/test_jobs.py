"""A job's way through the controller when nothing goes wrong."""

from __future__ import annotations

import shutil

from orchestrator.controller.active import NOTICES_KEPT
from orchestrator.errors import Code, Fault
from orchestrator.lifecycle.key import JobKey
from orchestrator.scheduling.snapshot import Owner
from orchestrator.units import GIB
from tests.controller.plant import Plant, model_folder, request_for


def test_a_job_runs_on_every_gpu_to_its_end(two: Plant) -> None:
    job = two.submit(name="embed")
    view = two.running(job)
    assert view["state"] == "RUNNING"
    assert [r["gpu"] for r in view["replicas"]] == ["local:0", "local:1"]
    runner = two.world.runner(job)
    assert runner.with_replicas(2) == [
        f"orch:job-{job}:replica-0",
        f"orch:job-{job}:replica-1",
    ]
    runner.say(rows_total=10, rows_done=4, rows_failed=1)
    view = two.until(job, lambda v: v["progress"]["rows_done"] == 4, "4 rows")
    assert view["progress"]["rows_total"] == 10
    assert view["progress"]["rows_failed"] == 1
    runner.finish()
    view = two.until_state(job, "SUCCEEDED")
    assert view["results"] == "/results.jsonl"
    assert view["faults"] == []
    assert view["started_at"] <= view["finished_at"]
    assert view["progress"]["phase"] == "done"
    assert [r["state"] for r in view["replicas"]] == ["stopped", "stopped"]


def test_work_starts_with_the_first_replica_that_is_ready(two: Plant) -> None:
    two.world.held.add("GPU-1")
    job = two.submit()
    runner = two.world.runner(job)
    assert runner.with_replicas(1) == [f"orch:job-{job}:replica-0"]
    view = two.until_state(job, "RUNNING")
    assert [r["state"] for r in view["replicas"]] == ["ready", "loading"]
    two.world.change(two.world.held.clear)
    assert len(runner.with_replicas(2)) == 2
    runner.finish()
    two.until_state(job, "SUCCEEDED")


def test_a_job_may_end_before_all_its_replicas_are_ready(two: Plant) -> None:
    two.world.held.add("GPU-1")
    job = two.submit()
    runner = two.world.runner(job)
    runner.with_replicas(1)
    runner.finish()
    two.until_state(job, "SUCCEEDED")


def test_rows_may_fail_a_job(two: Plant) -> None:
    job = two.submit()
    fault = Fault(Code.TOO_MANY_FAILED_ROWS, "9 of 10 rows failed")
    two.world.runner(job).finish(fault)
    view = two.until_state(job, "FAILED")
    assert [f["code"] for f in view["faults"]] == ["E404"]


def test_the_second_job_waits_and_says_for_whom(two: Plant) -> None:
    first = two.submit()
    two.running(first)
    second = two.submit()
    view = two.until(second, lambda v: v["diagnosis"], "it has a diagnosis")
    assert view["state"] == "PENDING"
    details = [refusal["detail"] for refusal in view["diagnosis"]["refusals"]]
    assert len(details) == 2
    assert all(f"held by job {first} (4.0 GiB)" in detail for detail in details)
    two.world.runner(first).finish()
    two.until_state(first, "SUCCEEDED")
    view = two.running(second)
    assert view["diagnosis"] is None
    assert len(view["replicas"]) == 2


def test_two_jobs_share_the_box_when_they_want_one_gpu_each(two: Plant) -> None:
    jobs = [two.submit(resources={"gpus": 1, "gpu_memory": "4GiB"}) for _ in range(2)]
    gpus = {two.running(job)["replicas"][0]["gpu"] for job in jobs}
    assert gpus == {"local:0", "local:1"}


def test_the_oldest_job_goes_first_and_nobody_overtakes_it(two: Plant) -> None:
    first = two.submit(resources={"gpus": 1, "gpu_memory": "4GiB"})
    two.running(first)
    wants_both = two.submit(resources={"gpus": 2, "gpu_memory": "4GiB"})
    wants_one = two.submit(resources={"gpus": 1, "gpu_memory": "4GiB"})
    two.until(wants_both, lambda v: v["diagnosis"], "it has a diagnosis")
    two.world.runner(first).finish()
    two.running(wants_both)
    assert two.job(wants_one)["state"] == "PENDING"
    two.world.runner(wants_both).finish()
    two.running(wants_one)


def test_what_can_never_fit_is_not_queued(two: Plant) -> None:
    resources = {"gpu_memory": "40GiB"}
    body = request_for(two.folder, resources=resources)
    answer = two.client.post("/v1/jobs", json=body)
    assert answer.status_code == 409
    (fault,) = answer.json()["error"]["faults"]
    assert (fault["code"], fault["exit_code"]) == ("E101", 5)
    assert two.client.get("/v1/jobs?all=1").json()["jobs"] == []


def test_a_plan_changes_nothing(two: Plant) -> None:
    body = request_for(two.folder)
    plan = two.client.post("/v1/plan", json=body).json()["plan"]
    assert [p["gpu"]["index"] for p in plan["placements"]] == [0, 1]
    first = two.submit()
    two.running(first)
    diagnosis = two.client.post("/v1/plan", json=body).json()["diagnosis"]
    assert diagnosis["ever"]
    assert [view["id"] for view in two.client.get("/v1/jobs").json()["jobs"]] == [first]
    gpus = two.client.get("/v1/gpus").json()
    assert [r["holder"] for r in gpus["reservations"]] == [f"job {first}"] * 2
    assert [gpu["owners"] for gpu in gpus["gpus"]] == [[], []], "ours are no strangers"


def test_memory_of_strangers_is_not_promised(two: Plant) -> None:
    two.world.foreign["GPU-0"] = Owner(77, "train.py", "ann", 22 * GIB)
    job = two.submit()
    assert [r["gpu"] for r in two.running(job)["replicas"]] == ["local:1"]


def test_a_job_whose_input_vanishes_while_it_waits_fails(two: Plant) -> None:
    first = two.submit()
    two.running(first)
    folder = model_folder(two.folder)
    second = two.submit(model={"id": "./model"})
    two.until(second, lambda v: v["diagnosis"], "it has a diagnosis")
    shutil.rmtree(folder)
    two.world.runner(first).finish()
    view = two.until_state(second, "FAILED")
    assert [f["code"] for f in view["faults"]] == ["E103"]


def test_the_newest_job_is_listed_first_and_ended_ones_on_demand(two: Plant) -> None:
    first, second = two.submit(), two.submit()
    two.world.runner(first).finish()
    two.until_state(first, "SUCCEEDED")

    def listed(query: str) -> list[int]:
        jobs = two.client.get(f"/v1/jobs{query}").json()["jobs"]
        return [view["id"] for view in jobs]

    assert listed("") == [second]
    assert listed("?all=1") == [second, first]


def test_every_step_of_a_job_is_on_record(two: Plant) -> None:
    job = two.submit()
    two.running(job)
    two.world.runner(job).finish()
    two.until_state(job, "SUCCEEDED")
    states = [event.state for event in two.core.store.events(JobKey(job))]
    assert states == ["LOADING", "RUNNING", "RUNNING", "SUCCEEDED"]


def test_of_very_many_notices_the_newest_are_kept(two: Plant) -> None:
    job = two.submit()
    two.running(job)

    def much_happens() -> list[str]:
        active = two.core.jobs[JobKey(job)]
        for number in range(1000):
            active.tell(f"notice {number}")
        return active.notices

    notices = two.core.loop.ask(much_happens)
    assert (len(notices), notices[-1]) == (NOTICES_KEPT, "notice 999")
