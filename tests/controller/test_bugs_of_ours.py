"""What nobody has foreseen hurts one job at most; the queue and the others go on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from orchestrator.errors import Code, Fault
from tests.controller.plant import Plant, model_folder, plant

DIED = Fault(Code.GPU_LOST, "it died")
ONE = {"gpus": 1, "gpu_memory": "4GiB"}


def works(built: Plant) -> None:
    """The controller still takes a job to its end."""
    job = built.submit()
    built.running(job)
    built.world.runner(job).finish()
    built.until_state(job, "SUCCEEDED")


def test_a_replica_that_cannot_even_be_started_fails_its_job(two: Plant) -> None:
    two.world.broken["start_replica"] = 1
    job = two.submit()
    view = two.until_state(job, "FAILED")
    assert [fault["code"] for fault in view["faults"]] == ["E900"]
    works(two)


def test_a_look_at_the_gpus_that_breaks_is_done_again(two: Plant) -> None:
    job = two.submit()
    two.running(job)
    waiting = two.submit()
    two.until(waiting, lambda v: v["diagnosis"], "it has a diagnosis")
    two.world.broken["gpus"] = 1
    two.world.until(lambda: not two.world.broken["gpus"], "it broke")
    two.world.runner(job).finish()
    two.running(waiting)


def test_a_lease_that_breaks_is_asked_for_again(two: Plant) -> None:
    two.world.broken["acquire"] = 1
    two.running(two.submit())


def test_a_tick_that_breaks_is_not_the_last(two: Plant) -> None:
    job = two.submit(keep_alive="2s")
    two.running(job)
    two.world.runner(job).finish()
    two.until_state(job, "SUCCEEDED")
    two.world.broken["gpus"] = 1
    two.world.until(lambda: not two.world.broken["gpus"], "it broke")
    two.world.until(lambda: not two.world.leases, "idle engines go in the end")


def test_a_runner_that_waits_for_a_place_keeps_its_name(two: Plant) -> None:
    world = two.world
    world.gpus[1] = replace(world.gpus[1], node_id="node-b", node="box2", index=0)
    first = two.submit(resources={**ONE, "exclude": ["local:0"]})
    runner = world.runner(first)
    (replica,) = runner.with_replicas(1)
    world.held.add("GPU-0")
    second = two.submit(resources=ONE)
    two.until_state(second, "LOADING")
    world.dead_nodes.add("node-b")
    runner.lose(replica, DIED)
    two.until_state(first, "PENDING")
    world.change(world.held.clear)
    two.running(second)
    world.runner(second).finish()
    two.until_state(second, "SUCCEEDED")
    world.change(world.dead_nodes.clear)
    two.running(first)
    runner.with_replicas(2)
    third = two.submit(resources=ONE)
    two.running(third)
    world.runner(third).with_replicas(1)


def test_a_job_that_is_given_up_while_its_runner_waits_stops_it(
    tmp_path: Path,
) -> None:
    with plant(tmp_path, 24) as one:
        folder = model_folder(tmp_path)
        job = one.submit(model={"id": "./model"})
        runner = one.world.runner(job)
        (replica,) = runner.with_replicas(1)
        one.world.dead_nodes.add("node-a")
        runner.lose(replica, DIED)
        one.until_state(job, "PENDING")
        # In one step: half a model is another mistake than none.
        folder.rename(tmp_path / "gone")
        one.world.change(one.world.dead_nodes.clear)
        view = one.until_state(job, "FAILED")
        assert [fault["code"] for fault in view["faults"]] == ["E103"]
        assert runner.stops == [True]
