"""Arrays of batch jobs: a run, a runner and an output folder for each task."""

from __future__ import annotations

from tests.controller.plant import Plant


def test_every_task_is_a_run_of_its_own(two: Plant) -> None:
    job = two.submit(
        array={"range": "0-2"}, resources={"gpus": 1, "gpu_memory": "4GiB"}
    )
    world = two.world
    runs = set()
    for task in range(3):
        key = f"{job}.{task}"
        two.running(key)
        runner = world.runners[f"orch:job-{key}:runner"]
        runner.with_replicas(1)
        assert runner.job is not None
        assert runner.job.output == str(two.folder / "out" / str(job) / str(task))
        runs.add(runner.job.run)
        runner.finish()
        two.until_state(key, "SUCCEEDED")
    assert len(runs) == 3
    two.until_state(job, "SUCCEEDED")
    usage = two.get("/v1/history")["usage"]
    assert {use["task"] for use in usage} == {0, 1, 2}
