"""What comes too late, or all at once, changes nothing that is not its business."""

from __future__ import annotations

from dataclasses import replace

from orchestrator.controller.clock import now
from orchestrator.controller.store import Store
from orchestrator.scheduling.snapshot import Owner
from orchestrator.units import GIB
from tests.controller.plant import Generations, Plant


def test_a_long_chain_of_jobs_is_skipped_to_its_end(two: Plant) -> None:
    first = before = two.command()
    for _ in range(300):
        before = two.command(after=[before])
    two.end(first, 1)
    two.until_state(before, "SKIPPED")
    counts = two.get("/v1/jobs?all=1&limit=1")["counts"]
    assert counts == {"FAILED": 1, "SKIPPED": 300}


def test_limits_that_were_kept_are_no_part_of_the_story(two: Plant) -> None:
    limits = {"queue": "0.2s", "start": "0.2s"}
    job = two.command(timeout=limits)
    two.started(job)
    other = two.command(timeout={"queue": "0.3s"}, resources={"cpus": 2})
    two.until_state(other, "TIMEOUT")
    two.end(job)
    happened = [line["event"] for line in two.story(job)]
    assert happened == ["planned", "command_started", "command_ended"]


def test_an_engine_that_goes_late_leaves_the_next_attempt_alone(
    generations: Generations,
) -> None:
    plant, world = generations.plant, generations.world
    job = plant.submit(resources={"gpus": 1, "gpu_memory": "4GiB"})
    plant.running(job)
    (replica,) = world.replicas.values()
    slow = Owner(replica.handle.pid + 1, "orch", "us", GIB)
    world.change(lambda: world.foreign.update({replica.gpu: slow}))
    plant.cancel(job)
    plant.until_state(job, "CANCELLED")
    world.refused.update(("GPU-0", "GPU-1"))
    plant.retry(job)
    world.change(world.foreign.clear)
    world.until(lambda: not world.leases, "its engine is gone")
    world.until(lambda: not plant.core.fleet.engines, "and forgotten")
    assert plant.job(job)["state"] == "PENDING"
    new = generations.next()
    assert new.job(job)["state"] == "PENDING"
    world.change(world.refused.clear)
    new.running(job)


def test_a_command_that_no_job_has_is_ended(two: Plant) -> None:
    commands = two.world.node_commands
    job = two.command()
    spec = two.started(job).spec
    # Its start was not answered in time, the job went on to another attempt.
    stray = replace(spec, attempt=7)
    two.world.change(lambda: commands.start(stray))
    two.world.until(lambda: (spec.key, 7) not in commands.running, "it is killed")
    assert two.end(job)["state"] == "SUCCEEDED"


def test_an_array_whose_tasks_were_cancelled_in_the_last_moment_is_over(
    generations: Generations,
) -> None:
    old = generations.plant
    old.started(old.command(resources={"cpus": 2}))
    array = old.command(array={"range": "0-2"})
    last = old.command(after=[{"job": array, "when": "any"}])
    old.die()
    store = Store(generations.folder / "orch.db")
    store.cancel_pending(array, now(), {})
    store.close()
    new = generations.next()
    assert new.job(array)["state"] == "CANCELLED"
    assert [why["tier"] for why in new.job(last)["waiting"]] != ["dependency"]


def test_all_tasks_of_an_array_are_skipped_at_once(two: Plant) -> None:
    first = two.command()
    limited = two.command(array={"range": "0-199", "max_parallel": 3}, after=[first])
    second = two.command(after=[limited])
    two.end(first, 1)
    view = two.until_state(second, "SKIPPED")
    array = two.job(limited)
    assert (array["state"], array["tasks"]["SKIPPED"]) == ("SKIPPED", 200)
    assert {two.job(f"{limited}.{n}")["cause"] for n in (0, 199)} == {"dependency"}
    assert [line["event"] for line in two.story(limited)] == ["dependency_failed"]
    assert view["cause"] == "dependency"
    assert not len(two.core.queue)
    assert not two.core.jobs


def test_tasks_that_were_ended_all_at_once_can_be_retried(two: Plant) -> None:
    two.started(two.command(resources={"cpus": 2}))
    array = two.command(array={"range": "0-19"})
    two.cancel(array)
    two.until_state(array, "CANCELLED")
    two.retry(array)
    assert two.tasks(array) == ["PENDING"] * 20
    assert two.job(f"{array}.7")["attempt"] == 2
