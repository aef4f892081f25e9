"""A job's way through the controller when nothing goes wrong."""

from __future__ import annotations

from tests.controller.plant import Plant


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
