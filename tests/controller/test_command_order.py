"""Which command starts next."""

from __future__ import annotations

from tests.controller.plant import Plant


def blocked(two: Plant) -> int:
    """A command that has both cores of the node."""
    job = two.command(resources={"cpus": 2})
    two.started(job)
    return job


def starts(two: Plant) -> list[int]:
    return [key.number for key, _ in two.world.node_commands.started]


def test_by_priority_and_then_by_age(two: Plant) -> None:
    both = {"cpus": 2}
    first = blocked(two)
    low, old = two.command(priority=-1, resources=both), two.command(resources=both)
    high, young = two.command(priority=7, resources=both), two.command(resources=both)
    for job in (first, high, old, young, low):
        two.end(job)
    assert starts(two) == [first, high, old, young, low]


def test_nobody_passes_a_command_that_waits_for_cores(two: Plant) -> None:
    small = two.command()
    two.started(small)
    large = two.command(resources={"cpus": 2})
    behind = two.command()
    view = two.until(large, lambda v: v["waiting"][0]["tier"] == "busy", "it is told")
    assert "now free: 1 core" in view["waiting"][0]["text"]
    assert two.job(behind)["waiting"][0]["tier"] == "order"
    for job in (small, large, behind):
        two.end(job)
    assert starts(two) == [small, large, behind]


def test_a_command_never_waits_for_a_gpu(two: Plant) -> None:
    two.running(two.submit())
    waiting = two.submit()
    two.until(waiting, lambda v: v["diagnosis"], "it waits for GPUs")
    two.end(two.command())
