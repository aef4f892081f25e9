"""Engines that stay loaded for the next job, and when they go."""

from __future__ import annotations

from pathlib import Path

from orchestrator.engines.base import Held
from orchestrator.errors import Code, Fault
from orchestrator.estimate.model import Shape
from orchestrator.scheduling.snapshot import Owner
from orchestrator.units import GIB
from tests.controller.plant import Plant, plant


def finished(built: Plant, **sections: object) -> int:
    """A job that ran on every GPU and succeeded."""
    job = built.submit(**sections)
    built.running(job)
    built.world.runner(job).finish()
    built.until_state(job, "SUCCEEDED")
    return job


def test_the_next_job_of_the_same_model_finds_it_loaded(two: Plant) -> None:
    finished(two, keep_alive="10m")
    second = two.submit(keep_alive="10m")
    view = two.running(second)
    assert [r["warm"] for r in view["replicas"]] == [True, True]
    assert len(two.world.loads) == 2, "nothing was loaded again"
    assert two.world.runner(second).with_replicas(2) == [
        "orch:job-1:replica-0",
        "orch:job-1:replica-1",
    ]
    two.world.runner(second).finish()
    two.until_state(second, "SUCCEEDED")
    reservations = two.client.get("/v1/gpus").json()["reservations"]
    assert [r["idle"] for r in reservations] == [True, True]
    assert all(0 < r["keeps_seconds"] <= 600 for r in reservations)


def test_another_model_takes_its_place(two: Plant) -> None:
    finished(two, keep_alive="10m")
    second = two.submit(model={"entry": "my_model:Other"})
    view = two.running(second)
    assert [r["warm"] for r in view["replicas"]] == [False, False]
    assert len(two.world.replicas) == 2, "the idle engines are gone"


def test_without_keep_alive_nothing_stays(two: Plant) -> None:
    finished(two, keep_alive=0)
    two.world.until(lambda: not two.world.leases, "all leases are given back")
    assert not two.world.replicas


def test_an_idle_engine_goes_when_its_time_is_over(two: Plant) -> None:
    finished(two, keep_alive="0.001s")
    two.world.until(lambda: not two.world.leases, "all leases are given back")
    assert not two.world.replicas


def test_an_idle_engine_makes_way_for_programs_that_are_not_ours(two: Plant) -> None:
    finished(two, keep_alive="10m")
    two.world.change(
        lambda: two.world.foreign.update({"GPU-1": Owner(7, "x", "ann", 20 * GIB)})
    )
    two.world.until(
        lambda: set(two.world.leases.values()) == {"GPU-0"}, "GPU 1 is given back"
    )


def test_a_warm_engine_that_has_died_is_loaded_anew(two: Plant) -> None:
    finished(two, keep_alive="10m")
    two.world.change(two.world.replicas.clear)
    second = two.submit()
    two.running(second)
    replicas = two.world.runner(second).with_replicas(2)
    assert len({name for name, _ in two.world.loads}) == 4
    assert {name for name, _ in two.world.loads[2:]} == set(replicas)


def test_engines_of_a_failed_job_do_not_stay(two: Plant) -> None:
    job = two.submit(keep_alive="10m")
    two.running(job)
    two.world.runner(job).finish(Fault(Code.TOO_MANY_FAILED_ROWS, "too many"))
    two.until_state(job, "FAILED")
    two.world.until(lambda: not two.world.leases, "all leases are given back")


def test_what_an_engine_has_held_counts_for_the_next_plan(tmp_path: Path) -> None:
    with plant(tmp_path, 24) as one:
        job = one.submit()
        (replica,) = one.world.runner(job).with_replicas(1)
        held = Held(9 * GIB, Shape(batch=8))
        one.world.runner(job).say(held=((replica, held),))
        one.world.runner(job).finish()
        one.until_state(job, "SUCCEEDED")
        second = one.submit()
        demand = one.running(second)["plan"]["demand"]
        assert demand["measured"]
        need = ("weights_bytes", "activation_bytes", "context_bytes")
        assert sum(demand[part] for part in need) == 9 * GIB


def test_an_idle_engine_leaves_for_a_ray_program_that_waits(two: Plant) -> None:
    finished(two, keep_alive="10m")
    two.world.wanted = frozenset({"CPU"})
    assert two.client.get("/v1/gpus").json()["reservations"], "a GPU is not a core"
    two.world.wanted = frozenset({"GPU"})
    two.world.until(lambda: not two.world.leases, "all leases are given back")
