"""A job can be cancelled in every phase, gently and by force, once and again."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from orchestrator.errors import Code, Fault
from tests.controller.plant import Plant


def waiting(two: Plant) -> int:
    two.running(two.submit())
    job = two.submit()
    two.until(job, lambda v: v["diagnosis"], "it has a diagnosis")
    return job


def loading(two: Plant) -> int:
    two.world.held.update({"GPU-0", "GPU-1"})
    job = two.submit()
    two.until_state(job, "LOADING")
    two.world.until(lambda: len(two.world.loads) == 2, "both load")
    return job


def partly_loaded(two: Plant) -> int:
    two.world.held.add("GPU-1")
    job = two.submit()
    two.world.runner(job).with_replicas(1)
    return job


def running(two: Plant) -> int:
    job = two.submit()
    two.world.runner(job).with_replicas(2)
    return job


def without_one_gpu(two: Plant) -> int:
    two.world.faults["GPU-0"] = Fault(Code.GPU_FAILED_TO_INITIALISE, "no CUDA")
    job = two.submit()
    two.world.runner(job).with_replicas(1)
    two.until(job, lambda v: v["replicas"][0]["state"] == "lost", "one is left out")
    return job


def restarting(two: Plant) -> int:
    job = running(two)
    runner = two.world.runner(job)
    two.world.held.update({"GPU-0", "GPU-1"})
    for replica in runner.with_replicas(2):
        runner.lose(replica, Fault(Code.GPU_LOST, "it died"))
    two.world.until(lambda: len(two.world.loads) == 4, "both load again")
    return job


PHASES = [waiting, loading, partly_loaded, running, without_one_gpu, restarting]


@pytest.mark.parametrize("force", [False, True], ids=["gently", "by force"])
@pytest.mark.parametrize("phase", PHASES)
def test_cancel(two: Plant, phase: Callable[[Plant], int], force: bool) -> None:
    job = phase(two)
    runners = [r for r in two.world.runners.values() if r.job and r.job.id == job]
    two.cancel(job, force=force)
    view = two.until_state(job, "CANCELLED")
    assert view["faults"] == []
    assert view["finished_at"]
    assert [runner.stops for runner in runners] == [[force] for _ in runners]
    again = two.cancel(job, force=True)
    assert again == two.job(job), "what is over stays as it is"


def test_a_runner_that_takes_its_time_can_be_forced(two: Plant) -> None:
    job = running(two)
    runner = two.world.runner(job)
    runner.obedient = False
    assert two.cancel(job)["state"] == "STOPPING"
    assert two.cancel(job)["state"] == "STOPPING"
    two.cancel(job, force=True)
    two.until_state(job, "CANCELLED")
    assert runner.stops == [False, True]


def test_a_job_cancelled_in_the_queue_never_takes_a_gpu(two: Plant) -> None:
    job = waiting(two)
    two.cancel(job)
    two.world.runner(1).finish()
    two.until_state(1, "SUCCEEDED")
    two.world.until(lambda: not two.world.leases, "the GPUs are free")
    assert {name for name, _ in two.world.loads} == {
        "orch:job-1:replica-0",
        "orch:job-1:replica-1",
    }


def test_the_next_job_starts_when_one_is_cancelled(two: Plant) -> None:
    job = waiting(two)
    two.cancel(1)
    two.running(job)
