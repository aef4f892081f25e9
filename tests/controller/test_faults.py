"""What breaks under a job, and how the job goes on or says why not."""

from __future__ import annotations

from pathlib import Path

from orchestrator.errors import Code, Fault
from orchestrator.lifecycle.machine import MAX_RESTARTS
from tests.controller.plant import Plant, View, plant

NO_CUDA = Fault(Code.GPU_FAILED_TO_INITIALISE, "CUDA does not start")
NO_MODEL = Fault(Code.MODEL_FAILED_TO_LOAD, "weights do not fit the config")
DIED = Fault(Code.GPU_LOST, "its process ended by signal 9")


def codes(view: View) -> list[str]:
    return [fault["code"] for fault in view["faults"]]


def test_a_lease_that_is_refused_is_asked_for_again(two: Plant) -> None:
    two.world.refused.add("GPU-1")
    job = two.submit()
    two.world.until(lambda: two.world.refusals >= 2, "asked twice")
    view = two.job(job)
    assert view["state"] == "PENDING"
    assert "Ray does not give local:1 now" in " ".join(view["notices"])
    two.world.until(lambda: not two.world.leases, "nothing is held meanwhile")
    two.world.change(two.world.refused.clear)
    assert len(two.running(job)["replicas"]) == 2


def test_a_gpu_that_does_not_start_is_left_out(two: Plant) -> None:
    two.world.faults["GPU-0"] = NO_CUDA
    job = two.submit()
    runner = two.world.runner(job)
    assert runner.with_replicas(1) == [f"orch:job-{job}:replica-1"]
    view = two.until(
        job, lambda v: v["replicas"][0]["state"] == "lost", "replica 0 is lost"
    )
    assert "CUDA does not start" in view["replicas"][0]["detail"]
    assert "E102" in " ".join(view["notices"])
    two.world.until(
        lambda: set(two.world.leases.values()) == {"GPU-1"}, "its lease is given back"
    )
    runner.finish()
    view = two.until_state(job, "SUCCEEDED")
    assert codes(view) == []


def test_a_job_for_which_no_gpu_starts_fails_with_every_cause(two: Plant) -> None:
    two.world.faults.update({"GPU-0": NO_CUDA, "GPU-1": NO_CUDA})
    job = two.submit(retry={"max": 0})
    assert codes(two.until_state(job, "FAILED")) == ["E102", "E102"]
    assert len(two.world.loads) == 2


def test_a_model_that_does_not_load_fails_the_job_at_once(two: Plant) -> None:
    two.world.held.add("GPU-1")
    two.world.faults["GPU-0"] = NO_MODEL
    job = two.submit()
    assert codes(two.until_state(job, "FAILED")) == ["E103"]


def test_a_model_that_does_not_load_stops_the_replicas_that_run(two: Plant) -> None:
    two.world.held.add("GPU-1")
    two.world.faults["GPU-1"] = NO_MODEL
    job = two.submit()
    runner = two.world.runner(job)
    two.world.change(two.world.held.clear)
    assert codes(two.until_state(job, "FAILED")) == ["E103"]
    assert runner.stops == [True]


def test_a_replica_that_dies_is_started_again(two: Plant) -> None:
    job = two.submit()
    runner = two.world.runner(job)
    lost = runner.with_replicas(2)[0]
    runner.lose(lost, DIED)
    assert runner.with_replicas(3)[1] == f"{lost}.2"
    view = two.running(job)
    assert "was lost" in " ".join(view["notices"])
    assert view["state"] == "RUNNING"
    runner.finish()
    assert two.until_state(job, "SUCCEEDED")["faults"] == []


def test_a_replica_that_dies_for_ever_is_let_go(two: Plant) -> None:
    job = two.submit()
    runner = two.world.runner(job)
    runner.with_replicas(2)
    for life in range(1 + MAX_RESTARTS):
        suffix = f".{life + 1}" if life else ""
        runner.lose(f"orch:job-{job}:replica-0{suffix}", DIED)
        if life < MAX_RESTARTS:
            runner.with_replicas(3 + life)
    two.until(job, lambda v: v["replicas"][0]["state"] == "lost", "it is let go")
    two.world.until(
        lambda: set(two.world.leases.values()) == {"GPU-1"}, "its lease is given back"
    )
    runner.finish()
    two.until_state(job, "SUCCEEDED")


def test_a_job_whose_last_replica_is_let_go_fails_and_stops_its_runner(
    tmp_path: Path,
) -> None:
    with plant(tmp_path, 24) as one:
        job = one.submit(retry={"max": 0})
        runner = one.world.runner(job)
        (replica,) = runner.with_replicas(1)
        one.world.faults["GPU-0"] = NO_CUDA
        runner.lose(replica, DIED)
        assert codes(one.until_state(job, "FAILED")) == ["E102"]
        assert runner.stops == [True]


def test_a_job_whose_node_is_lost_waits_for_it_and_goes_on(tmp_path: Path) -> None:
    with plant(tmp_path, 24) as one:
        job = one.submit()
        runner = one.world.runner(job)
        (replica,) = runner.with_replicas(1)
        one.world.dead_nodes.add("node-a")
        runner.lose(replica, DIED)
        one.until_state(job, "PENDING")
        one.world.change(one.world.dead_nodes.clear)
        one.until_state(job, "RUNNING")
        assert len(runner.with_replicas(2)) == 2, "its runner has waited"
        runner.finish()
        one.until_state(job, "SUCCEEDED")


def test_a_runner_that_dies_is_started_again_with_all_replicas(two: Plant) -> None:
    job = two.submit()
    first = two.world.runner(job)
    replicas = first.with_replicas(2)
    first.die()
    second = two.world.runner(job, other_than=first)
    assert second.with_replicas(2) == replicas
    assert second.job == first.job, "the same run: parts on disk are its own"
    second.finish()
    view = two.until_state(job, "SUCCEEDED")
    assert "the runner was lost" in " ".join(view["notices"])


def test_a_runner_that_dies_for_ever_ends_the_job(two: Plant) -> None:
    job = two.submit(retry={"max": 0})
    runner = two.world.runner(job)
    two.running(job)
    for _ in range(MAX_RESTARTS):
        runner.die()
        runner = two.world.runner(job, other_than=runner)
    runner.die()
    assert codes(two.until_state(job, "LOST")) == ["E502"]


def test_a_replica_lost_while_the_runner_starts_again_is_not_forgotten(
    two: Plant,
) -> None:
    job = two.submit()
    first = two.world.runner(job)
    replica = first.with_replicas(2)[0]
    first.die()
    second = two.world.runner(job, other_than=first)
    second.with_replicas(2)
    second.lose(replica, DIED)
    assert f"{replica}.2" in second.with_replicas(3)
    second.finish()
    two.until_state(job, "SUCCEEDED")
