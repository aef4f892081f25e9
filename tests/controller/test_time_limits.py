"""Time limits of job files: in the queue, until the start, and for the run."""

from __future__ import annotations

from signal import SIGKILL, SIGTERM

from orchestrator.controller.clock import seconds_since
from tests.controller.plant import Generations, Plant, View

BOTH = {"cpus": 2}


def codes(view: View) -> list[str]:
    return [fault["code"] for fault in view["faults"]]


def test_a_job_that_waits_too_long(two: Plant) -> None:
    first = two.command(resources=BOTH)
    two.started(first)
    job = two.command(timeout={"queue": "0.1s"})
    view = two.until_state(job, "TIMEOUT")
    assert (codes(view), view["cause"]) == (["E403"], "queue_timeout")
    assert view["faults"][0]["exit_code"] == 9
    other = two.command()
    two.end(first)
    two.end(other)


def test_a_batch_job_that_waits_too_long(two: Plant) -> None:
    two.running(two.submit())
    job = two.submit(timeout={"queue": "0.1s"})
    assert codes(two.until_state(job, "TIMEOUT")) == ["E403"]


def test_who_waits_for_another_job_or_for_its_array_waits_too(two: Plant) -> None:
    first = two.command(array={"range": "0-1", "max_parallel": 1})
    two.started(f"{first}.0")
    job = two.command(after=[first], timeout={"queue": "0.05s"})
    two.until_state(job, "TIMEOUT")
    limited = {"array": {"range": "0-1", "max_parallel": 1}, "resources": {"cpus": 1}}
    other = two.command(timeout={"queue": "0.3s"}, **limited)
    two.started(f"{other}.0")
    two.until_state(f"{other}.1", "TIMEOUT")
    two.end(f"{other}.0")
    two.until_state(other, "TIMEOUT")


def test_a_job_that_started_in_time_stays(two: Plant) -> None:
    job = two.command(timeout={"queue": "0.2s"})
    two.started(job)
    later = two.command(timeout={"run": "0.4s"})
    two.until_state(later, "TIMEOUT")
    assert two.job(job)["state"] == "RUNNING"
    two.end(job)


def test_a_command_that_does_not_start(two: Plant) -> None:
    two.world.starts_held = True
    job = two.command(timeout={"start": "0.05s"}, retry={"max": 0})
    view = two.until_state(job, "STOPPING")
    two.world.change(lambda: setattr(two.world, "starts_held", False))
    view = two.until_state(job, "FAILED")
    assert (codes(view), view["cause"]) == (["E403"], "start_timeout")
    assert not two.world.node_commands.running
    assert not two.world.node_commands.finished


def test_a_model_that_does_not_load(two: Plant) -> None:
    two.world.held.update({"GPU-0", "GPU-1"})
    job = two.submit(timeout={"start": "0.05s"}, retry={"max": 0})
    assert codes(two.until_state(job, "FAILED")) == ["E403"]
    two.world.change(two.world.held.clear)


def test_a_command_that_runs_too_long_is_asked_first(two: Plant) -> None:
    job = two.command(timeout={"run": "0.1s"}, grace="1h", retry={"max": 0})
    command = two.started(job)
    view = two.until_state(job, "TIMEOUT")
    assert command.signals == [SIGTERM]
    assert (codes(view), view["cause"]) == (["E403"], "timeout")


def test_a_deaf_command_that_runs_too_long_is_killed(two: Plant) -> None:
    two.world.node_commands.deaf = True
    job = two.command(timeout={"run": "0.1s"}, grace="0.1s", retry={"max": 0})
    command = two.started(job)
    two.until_state(job, "TIMEOUT")
    assert command.signals == [SIGTERM, SIGKILL]


def test_a_run_that_took_too_long_is_tried_again_if_asked(two: Plant) -> None:
    retry = {"max": 1, "on": ["timeout"], "backoff": "0.01s..0.01s"}
    job = two.command(timeout={"run": "0.2s"}, retry=retry)
    two.until(job, lambda v: v["attempt"] == 2, "a second attempt")
    two.started(job, 2)
    view = two.until_state(job, "TIMEOUT")
    assert [(a["state"], a["cause"]) for a in view["attempts"]] == [
        ("TIMEOUT", "timeout")
    ]


def test_a_batch_job_that_runs_too_long_stops_its_runner(two: Plant) -> None:
    job = two.submit(timeout={"run": "0.4s"}, retry={"max": 0})
    runner = two.world.runner(job)
    two.until_state(job, "TIMEOUT")
    assert runner.stops == [False]


def test_a_new_controller_holds_to_the_limits(generations: Generations) -> None:
    old = generations.plant
    running = old.command(timeout={"run": "1.2s"}, retry={"max": 0}, resources=BOTH)
    old.started(running)
    waiting = old.command(timeout={"queue": "0.7s"}, resources=BOTH)
    new = generations.next()
    new.until_state(waiting, "TIMEOUT")
    new.until_state(running, "TIMEOUT")


def test_a_later_attempt_has_the_whole_of_its_time_in_the_queue(
    generations: Generations,
) -> None:
    old = generations.plant
    job = old.command(timeout={"queue": "0.8s"})
    old.end(job, 1)
    blocker = old.command(resources=BOTH)
    old.started(blocker)
    old.world.until(lambda: _age_s(old, job) > 0.8, "time passes")
    old.retry(job)
    new = generations.next()
    assert new.job(job)["state"] == "PENDING"
    new.end(blocker)
    new.end(job, attempt=2)


def _age_s(plant: Plant, job: int) -> float:
    return seconds_since(str(plant.job(job)["created_at"]))
