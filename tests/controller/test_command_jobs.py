"""A command's life: from its submission over its process to its end, or a cancel."""

from __future__ import annotations

from dataclasses import replace
from signal import SIGKILL

from orchestrator.lifecycle.key import JobKey
from tests.controller.plant import Plant, View


def codes(view: View) -> list[str]:
    return [fault["code"] for fault in view["faults"]]


def test_a_command_runs_and_succeeds(two: Plant) -> None:
    job = two.command(run="echo hello\necho there", name="greet")
    command = two.started(job)
    view = two.job(job)
    assert view["state"] == "RUNNING"
    assert view["command"] == {
        "run": "echo hello",
        "exit_code": None,
        "signal": None,
        "pid": command.pid,
        "node": "local",
    }
    view = two.end(job)
    assert (view["state"], view["cause"], view["attempts"]) == ("SUCCEEDED", "", [])
    assert view["command"]["exit_code"] == 0
    assert view["started_at"] <= view["finished_at"]
    assert (view["model"], view["kind"], view["name"]) == ("", "command", "greet")
    happened = [line["event"] for line in two.story(job)]
    assert happened == ["planned", "command_started", "command_ended"]
    assert two.world.node_commands.finished == [(JobKey(job), 1)]


def test_the_node_is_told_what_to_run(two: Plant) -> None:
    job = two.command(run="true", name="x", env={"A": "1"}, secrets={"KEY": "s3cret"})
    spec = two.started(job).spec
    assert spec.argv == ("bash", "-euo", "pipefail", "-c", "true")
    assert spec.folder == f"jobs/{job}/attempt-1"
    assert spec.redact == ("s3cret",)
    wanted = {"A": "1", "KEY": "s3cret", "ORCH_JOB_ID": str(job), "ORCH_ATTEMPT": "1"}
    assert wanted.items() <= spec.env.items()
    assert spec.env["ORCH_OUTPUT_DIR"] == str(two.folder / "out" / str(job))
    two.end(job)
    other = two.command(run=["python", "-c", "pass"])
    assert two.started(other).spec.argv == ("python", "-c", "pass")
    two.end(other)


def test_what_a_node_knows_of_an_ended_command_is_forgotten(two: Plant) -> None:
    job = two.command()
    two.end(job)
    commands = two.world.node_commands
    two.world.until(lambda: not commands.ended, "it is forgotten")


def test_an_exit_code_fails_it(two: Plant) -> None:
    job = two.command(retry={"max": 5})
    view = two.end(job, code=3)
    assert (view["state"], view["cause"]) == ("FAILED", "exit_nonzero")
    assert codes(view) == ["E402"]
    assert view["command"]["exit_code"] == 3


def test_a_signal_that_nobody_sent_fails_it(two: Plant) -> None:
    job = two.command()
    two.started(job)
    ident, commands = (JobKey(job), 1), two.world.node_commands
    two.world.change(lambda: commands.end(ident, None, SIGKILL))
    view = two.until_state(job, "FAILED")
    assert view["command"]["signal"] == "SIGKILL"
    assert "SIGKILL ended the command" in view["faults"][0]["message"]


def test_a_command_that_cannot_be_unpacked_fails_and_is_not_tried_again(
    two: Plant,
) -> None:
    job = two.command()
    two.started(job)
    ident, commands = (JobKey(job), 1), two.world.node_commands

    def refuse() -> None:
        commands.end(ident, None, 9)
        end = commands.ended[ident]
        commands.ended[ident] = replace(end, signal=None, error="a bad snapshot")

    two.world.change(refuse)
    view = two.until_state(job, "FAILED")
    assert (codes(view), view["cause"]) == (["E203"], "config_error")


def test_a_start_that_breaks_fails_the_job_alone(two: Plant) -> None:
    two.world.broken["start_command"] = 1
    view = two.until_state(two.command(), "FAILED")
    assert (codes(view), view["cause"]) == (["E900"], "bug")
    two.end(two.command())


def test_news_that_break_are_asked_for_again(two: Plant) -> None:
    two.world.broken["watch_commands"] = 1
    two.world.broken["nodes"] = 1
    job = two.command()
    assert two.end(job)["state"] == "SUCCEEDED"


def test_many_short_commands_leave_nothing_behind(two: Plant) -> None:
    for _ in range(20):
        two.end(two.command())
    (node,) = two.service._perform.commands._nodes.values()
    assert not node.jobs
    assert not node.confirmed
    assert not two.service._perform.seats._taken
    assert not two.core.jobs
    assert not len(two.core.queue)


# --- what breaks ----------------------------------------------------------------------


def test_a_node_that_dies_takes_its_commands_along(two: Plant) -> None:
    job = two.command(retry={"max": 1, "backoff": "0.01s..0.01s"})
    two.started(job)

    def die() -> None:
        two.world.node_commands.die()
        two.world.dead_nodes.add("node-a")

    two.world.change(die)
    view = two.until(job, lambda v: v["attempt"] == 2, "it is lost")
    assert [(a["state"], a["cause"]) for a in view["attempts"]] == [
        ("LOST", "node_lost")
    ]
    two.world.change(two.world.dead_nodes.clear)
    assert two.end(job, attempt=2)["state"] == "SUCCEEDED"


def test_an_agent_that_dies_takes_its_commands_along(two: Plant) -> None:
    job = two.command(retry={"max": 1, "backoff": "0.01s..0.01s"})
    two.started(job)
    two.world.change(two.world.node_commands.die)
    assert two.end(job, attempt=2)["state"] == "SUCCEEDED"
    (attempt,) = two.job(job)["attempts"]
    assert (attempt["attempt"], attempt["cause"]) == (1, "worker_died")


def test_an_end_that_a_dying_agent_never_told_is_found(two: Plant) -> None:
    job = two.command(retry={"max": 1, "backoff": "0.01s..0.01s"})
    two.started(job)
    commands = two.world.node_commands

    def ends_and_dies() -> None:
        commands.end((JobKey(job), 1), 0, None)
        commands.die()

    two.world.change(ends_and_dies)
    view = two.until_state(job, "SUCCEEDED")
    assert (view["attempt"], commands.started) == (1, [(JobKey(job), 1)])


def test_a_lost_command_without_attempts_is_lost(two: Plant) -> None:
    job = two.command(retry={"max": 0})
    two.started(job)
    two.world.change(two.world.node_commands.die)
    assert codes(two.until_state(job, "LOST")) == ["E502"]
