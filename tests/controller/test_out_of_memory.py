"""GPU memory that runs out: more of it, or another GPU, three times; then E104."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from orchestrator.scheduling.snapshot import Owner
from orchestrator.units import GIB
from tests.controller.fake_cluster import lack
from tests.controller.plant import Plant, View, plant


def reserved(view: View) -> int:
    plan: dict[str, Any] = view["plan"]
    return int(plan["placements"][0]["reserve_bytes"])


def loads(built: Plant, count: int) -> list[str]:
    """The GPUs of the loads, once there were so many."""
    built.world.until(lambda: len(built.world.loads) >= count, f"{count} loads")
    return [gpu for _, gpu in built.world.loads]


def test_what_a_load_lacked_is_set_aside_and_kept(tmp_path: Path) -> None:
    with plant(tmp_path, 8, 24) as two:
        two.world.needs_bytes = 9 * GIB
        job = two.submit()
        two.world.runner(job).with_replicas(1)
        view = two.running(job)
        assert [p["gpu"]["uuid"] for p in view["plan"]["placements"]] == ["GPU-1"]
        assert (reserved(view), view["plan"]["demand"]["measured"]) == (9 * GIB, True)
        assert (view["attempt"], view["attempts"][0]["cause"]) == (2, "cuda_oom")
        assert "the next place must have 9.0 GiB" in " ".join(view["notices"])
        said = " ".join(str(event) for event in two.story(job))
        assert "begin attempt 2 with more GPU memory, or elsewhere" in said
        two.world.runner(job).finish()
        two.until_state(job, "SUCCEEDED")
        other = two.submit()
        assert reserved(two.running(other)) == 9 * GIB
        two.world.runner(other).finish()
        two.until_state(other, "SUCCEEDED")


def test_three_times_more_and_then_no_more(tmp_path: Path) -> None:
    with plant(tmp_path, 24) as one:
        one.world.foreign["GPU-0"] = Owner(77, "python", "eve", GIB)
        one.world.faults["GPU-0"] = lack()
        job = one.submit(retry={"max": 0})
        view = one.until_state(job, "FAILED")
        assert len(one.world.loads) == 4
        (fault,) = view["faults"]
        assert (fault["code"], view["cause"]) == ("E104", "cuda_oom")
        told = "\n".join(fault["facts"])
        for what in ("reserved: some", "held at most", "1.0 GiB, pid 77 python (eve)"):
            assert what in told
        shown = [r["text"] for r in view["attempts"]]
        assert len(shown) == 3
        amounts = [n for n in view["notices"] if "the next place must have" in n]
        assert [n.rpartition(" must have ")[2] for n in amounts[:3]] == [
            *("5.0 GiB", "6.2 GiB", "7.8 GiB")
        ]


def test_where_no_gpu_has_more_it_fails_at_once(tmp_path: Path) -> None:
    with plant(tmp_path, 24) as one:
        one.world.faults["GPU-0"] = lack(40 * GIB)
        job = one.submit()
        view = one.until_state(job, "FAILED")
        assert len(one.world.loads) == 1
        (fault,) = view["faults"]
        assert fault["code"] == "E104"
        assert "held at most: all of it" in fault["facts"]
        assert any("local:0" in fact for fact in fault["facts"])


def test_memory_taken_between_plan_and_load_leads_to_another_gpu(
    tmp_path: Path,
) -> None:
    with plant(tmp_path, 24, 24) as two:
        two.world.held.add("GPU-0")
        two.world.held.add("GPU-1")
        job = two.submit(resources={"gpu_memory": "10GiB", "gpus": 1})
        (first,) = loads(two, 1)

        def take() -> None:
            two.world.foreign[first] = Owner(99, "python", "eve", 20 * GIB)
            two.world.faults[first] = lack(5 * GIB)
            two.world.held.clear()

        two.world.change(take)
        view = two.running(job)
        (second,) = {"GPU-0", "GPU-1"} - {first}
        assert loads(two, 2) == [first, second]
        assert reserved(view) == 10 * GIB, "what it lacked was somebody else's doing"
        two.world.runner(job).finish()
        two.until_state(job, "SUCCEEDED")


def test_a_row_too_large_ends_the_attempt_and_the_next_has_more(two: Plant) -> None:
    job = two.submit()
    first = two.world.runner(job)
    replicas = first.with_replicas(2)
    first.lose(replicas[0], lack(6 * GIB))
    two.until(job, lambda v: v["attempt"] == 2 and v["plan"], "it has a place again")
    assert first.stops == [False], "chunks that are on their way come home"
    second = two.world.runner(job, other_than=first)
    assert len(second.with_replicas(2)) == 2, "on both GPUs again"
    assert reserved(two.running(job)) == 6 * GIB
    second.finish()
    two.until_state(job, "SUCCEEDED")
