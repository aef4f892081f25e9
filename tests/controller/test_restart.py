"""A controller dies as by SIGKILL; the next one, on the same store, takes over."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from orchestrator.controller.store import NewJob
from orchestrator.errors import Code, Fault
from tests.controller.plant import Generations, Plant


def test_a_running_job_goes_on_untouched(generations: Generations) -> None:
    old = generations.plant
    job = old.submit()
    runner = generations.world.runner(job)
    replicas = runner.with_replicas(2)
    runner.say(rows_total=10, rows_done=4)
    old.until(job, lambda v: v["progress"]["rows_done"] == 4, "4 rows")
    new = generations.next()
    view = new.until(job, lambda v: v["state"] == "RUNNING", "it is adopted")
    assert "the job went on meanwhile" in " ".join(view["notices"])
    assert generations.world.runner(job) is runner
    assert sorted(generations.world.replicas) == replicas
    runner.say(rows_done=6)
    view = new.until(job, lambda v: v["progress"]["rows_done"] == 6, "6 rows")
    assert [r["state"] for r in view["replicas"]] == ["ready", "ready"]
    runner.finish()
    new.until_state(job, "SUCCEEDED")
    assert len(generations.world.loads) == 2, "nothing was loaded again"


def test_an_adopted_job_can_lose_a_replica(generations: Generations) -> None:
    job = generations.plant.submit()
    runner = generations.world.runner(job)
    replica = runner.with_replicas(2)[0]
    generations.plant.running(job)
    new = generations.next()
    new.until_state(job, "RUNNING")
    runner.lose(replica, Fault(Code.GPU_LOST, "it died"))
    assert f"{replica}.2" in runner.with_replicas(3)
    runner.finish()
    new.until_state(job, "SUCCEEDED")


def test_an_adopted_job_can_be_cancelled(generations: Generations) -> None:
    job = generations.plant.submit()
    generations.plant.running(job)
    runner = generations.world.runner(job)
    new = generations.next()
    new.until_state(job, "RUNNING")
    new.cancel(job)
    new.until_state(job, "CANCELLED")
    assert runner.stops == [False]


def test_a_job_whose_runner_died_too_starts_again(generations: Generations) -> None:
    job = generations.plant.submit()
    generations.plant.running(job)
    runner = generations.world.runner(job)
    generations.plant.die()
    runner.die()
    new = generations.next()
    view = new.running(job)
    again = generations.world.runner(job, other_than=runner)
    again.with_replicas(2)
    assert again.job is not None
    assert runner.job is not None
    assert again.job.run == runner.job.run, "finished parts are its own"
    assert "finished rows are kept" in " ".join(view["notices"])
    assert len(generations.world.loads) == 2, "its engines were still loaded"
    again.finish()
    new.until_state(job, "SUCCEEDED")


def test_a_job_of_which_nothing_is_left_starts_again(generations: Generations) -> None:
    job = generations.plant.submit()
    generations.plant.running(job)
    generations.plant.die()
    world = generations.world
    for actors in (world.replicas, world.runners, world.leases):
        world.change(actors.clear)
    new = generations.next()
    new.running(job)
    assert len(world.loads) == 4
    world.runner(job).finish()
    new.until_state(job, "SUCCEEDED")


def test_a_job_with_one_engine_left_starts_again_on_all(
    generations: Generations,
) -> None:
    world = generations.world
    job = generations.plant.submit()
    generations.plant.running(job)
    runner = world.runner(job)
    generations.plant.die()
    runner.die()
    world.change(lambda: world.replicas.pop(f"orch:job-{job}:replica-0"))
    new = generations.next()
    view = new.running(job)
    assert [r["warm"] for r in view["replicas"]] == [False, True]
    world.runner(job, other_than=runner).with_replicas(2)


def test_an_engine_that_comes_back_under_another_number_keeps_its_name(
    generations: Generations,
) -> None:
    world = generations.world
    first = generations.plant.submit(resources={"gpus": 1, "gpu_memory": "4GiB"})
    generations.plant.running(first)
    second = generations.plant.submit()
    view = generations.plant.running(second)
    assert [r["gpu"] for r in view["replicas"]] == ["local:1"]
    world.runner(first).finish()
    generations.plant.until_state(first, "SUCCEEDED")
    world.until(lambda: len(world.leases) == 1, "GPU 0 is free")
    runner = world.runner(second)
    generations.plant.die()
    runner.die()
    new = generations.next()
    view = new.running(second)
    warm = {r["gpu"]: r["warm"] for r in view["replicas"]}
    assert warm == {"local:0": False, "local:1": True}
    again = world.runner(second, other_than=runner)
    assert len(again.with_replicas(2)) == 2
    again.finish()
    new.until_state(second, "SUCCEEDED")


def test_a_job_that_was_loading_starts_again(generations: Generations) -> None:
    world = generations.world
    world.held.update({"GPU-0", "GPU-1"})
    job = generations.plant.submit()
    world.until(lambda: len(world.loads) == 2, "both load")
    generations.plant.die()
    world.change(world.held.clear)
    new = generations.next()
    new.running(job)
    world.runner(job).with_replicas(2)


def test_a_job_that_was_waiting_waits_on(generations: Generations) -> None:
    first = generations.plant.submit()
    generations.plant.running(first)
    second = generations.plant.submit()
    generations.plant.until(second, lambda v: v["diagnosis"], "it has a diagnosis")
    new = generations.next()
    new.until(second, lambda v: v["diagnosis"], "it has a diagnosis")
    generations.world.runner(first).finish()
    new.running(second)


def test_a_cancelled_job_does_not_come_back(generations: Generations) -> None:
    world = generations.world
    job = generations.plant.submit()
    runner = world.runner(job)
    runner.with_replicas(2)
    runner.obedient = False
    assert generations.plant.cancel(job)["state"] == "STOPPING"
    generations.plant.die()
    runner.die()
    new = generations.next()
    new.until_state(job, "CANCELLED")


def test_a_cancel_is_told_again_to_a_runner_that_may_not_have_heard(
    generations: Generations,
) -> None:
    job = generations.plant.submit()
    runner = generations.world.runner(job)
    runner.with_replicas(2)
    runner.obedient = False
    generations.plant.cancel(job)
    generations.plant.die()
    runner.obedient = True
    new = generations.next()
    new.until_state(job, "CANCELLED")
    assert runner.stops == [False, False]


def test_idle_engines_are_known_to_the_next_controller(
    generations: Generations,
) -> None:
    job = generations.plant.submit(keep_alive="10m")
    generations.plant.running(job)
    generations.world.runner(job).finish()
    generations.plant.until_state(job, "SUCCEEDED")
    new = generations.next()
    second = new.submit()
    view = new.running(second)
    assert [r["warm"] for r in view["replicas"]] == [True, True]


def test_jobs_that_are_over_stay_as_they_were(generations: Generations) -> None:
    job = generations.plant.submit()
    generations.plant.running(job)
    generations.world.runner(job).finish()
    plant = generations.plant
    plant.until_state(job, "SUCCEEDED")
    view = plant.until(job, lambda v: len(v["returned"]) == 2, "memory is back")
    assert generations.next().job(job) == view


def test_what_nobody_knows_is_swept(generations: Generations) -> None:
    world = generations.world
    generations.plant.die()
    world.change(lambda: world.leases.update({"orch:job-9:replica-0": "GPU-0"}))
    new = generations.next()
    world.until(lambda: not world.leases, "the lease is given back")
    new.running(new.submit())


def test_a_job_that_cannot_be_read_any_more_fails_alone(
    generations: Generations,
) -> None:
    old = generations.plant
    good = old.submit()
    old.running(good)
    broken = NewJob("batch", "bad", {"spec": {}}, "/out", "2026-01-01T00:00:00Z")
    bad = old.core.store.accept(broken)
    new = generations.next()
    view = new.until_state(bad.id, "FAILED")
    assert [fault["code"] for fault in view["faults"]] == ["E203"]
    new.until_state(good, "RUNNING")


def test_a_cancel_is_not_lost_while_a_controller_takes_over(
    generations: Generations,
) -> None:
    world = generations.world
    first = generations.plant.submit()
    generations.plant.running(first)
    second = generations.plant.submit()
    generations.plant.die()
    new = Plant(world, generations.folder, take_over=False)
    with ThreadPoolExecutor(1) as pool:
        cancelled = pool.submit(new.cancel, second)
        new.start()
        assert cancelled.result(timeout=10)["state"] == "CANCELLED"
    generations.plant = new


def test_what_a_runner_says_is_said_once(generations: Generations) -> None:
    job = generations.plant.submit()
    generations.plant.running(job)
    generations.world.runner(job).say(notices=("the input has changed",))
    plant = generations.plant
    plant.until(job, lambda v: "the input has changed" in v["notices"], "it is told")
    new = generations.next()
    view = new.until(job, lambda v: len(v["notices"]) > 1, "the restart is told")
    assert view["notices"].count("the input has changed") == 1
