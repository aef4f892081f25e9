"""Who may pass the first job that waits for GPUs: nobody who could delay it."""

from __future__ import annotations

from typing import Any

from tests.controller.plant import Plant, View

ONE: dict[str, Any] = {"gpus": 1, "gpu_memory": "4GiB"}
TWO: dict[str, Any] = {"gpus": 2, "gpu_memory": "4GiB"}


def tiers(view: View) -> list[str]:
    return [why["tier"] for why in view["waiting"]]


def on_one(two: Plant, **more: Any) -> int:  # noqa: ANN401
    return two.submit(resources=ONE, **more)


def head_behind(two: Plant, limit: str | None) -> tuple[int, int]:
    """A job on one GPU, and one behind it that needs both."""
    first = on_one(two, timeout={"run": limit})
    two.running(first)
    head = two.submit(resources=TWO)
    two.until(head, lambda v: v["diagnosis"], "it waits")
    return first, head


def test_a_short_job_passes_one_that_waits(two: Plant) -> None:
    first, head = head_behind(two, "1h")
    short = on_one(two, timeout={"run": "10m"}, grace="1s")
    two.running(short)
    assert two.job(head)["state"] == "PENDING"
    assert tiers(two.job(head)) == ["busy"]
    for job in (short, first):
        two.world.runner(job).finish()
        two.until_state(job, "SUCCEEDED")
    two.running(head)


def test_a_long_job_does_not_pass(two: Plant) -> None:
    first, head = head_behind(two, "1h")
    long = on_one(two, timeout={"run": "2h"})
    view = two.until(long, lambda v: tiers(v) == ["order"], "it stands behind")
    assert view["waiting"][0]["data"]["behind"] == str(head)
    assert view["waiting"][0]["data"]["at"]
    assert view["position"] == 2
    two.world.runner(first).finish()
    two.running(head)
    assert two.job(long)["state"] == "PENDING"
    two.world.runner(head).finish()
    two.running(long)


def test_without_a_limit_nobody_passes(two: Plant) -> None:
    first, head = head_behind(two, None)
    short = on_one(two, timeout={"run": "1s"})
    two.until(short, lambda v: tiers(v) == ["order"], "it stands behind")
    two.world.runner(first).finish()
    two.running(head)
    two.world.runner(head).finish()


def test_many_short_jobs_do_not_starve_the_head(two: Plant) -> None:
    first, head = head_behind(two, "1h")
    for _ in range(3):
        short = on_one(two, timeout={"run": "10m"})
        two.running(short)
        two.world.runner(short).finish()
        two.until_state(short, "SUCCEEDED")
    two.world.runner(first).finish()
    late = on_one(two, timeout={"run": "10m"})
    two.running(head)
    assert two.job(late)["state"] == "PENDING"
    two.world.runner(head).finish()
    two.running(late)


def test_a_higher_priority_goes_first(two: Plant) -> None:
    first = two.submit(resources=TWO)
    two.running(first)
    low, high = two.submit(resources=TWO), two.submit(resources=TWO, priority=5)
    two.until(low, lambda v: v["position"] == 2, "it stands behind")
    two.world.runner(first).finish()
    two.running(high)
    assert two.job(low)["state"] == "PENDING"
    two.world.runner(high).finish()
    two.running(low)


def test_a_job_that_waits_for_another_lets_everybody_pass(two: Plant) -> None:
    first = on_one(two)
    two.running(first)
    after = two.submit(resources=TWO, after=[first])
    second = on_one(two)
    two.running(second)
    assert tiers(two.job(after)) == ["dependency"]
    two.world.runner(second).finish()
    two.world.runner(first).finish()
    two.running(after)


def test_a_look_that_breaks_is_not_the_last(two: Plant) -> None:
    placer = two.service._placer
    first, head = head_behind(two, "1h")
    decide = two.core.fleet.snapshot
    broken = [1]

    def snapshot(gpus: Any) -> Any:  # noqa: ANN401
        if broken and broken.pop():
            raise RuntimeError("the fleet is broken")
        return decide(gpus)

    object.__setattr__(two.core.fleet, "snapshot", snapshot)
    two.world.runner(first).finish()
    two.running(head)
    assert not broken
    assert placer._busy == 0
