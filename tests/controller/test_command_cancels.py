"""A command is cancelled, whatever it is about just then."""

from __future__ import annotations

from collections.abc import Callable
from signal import SIGKILL, SIGTERM

import pytest

from orchestrator.lifecycle.key import JobKey
from tests.controller.plant import Plant


def blocked(two: Plant) -> int:
    """A command that has both cores of the node."""
    job = two.command(resources={"cpus": 2})
    two.started(job)
    return job


def waiting(two: Plant) -> int:
    blocked(two)
    return two.command()


def after_another(two: Plant) -> int:
    return two.command(after=[blocked(two)])


def starting(two: Plant) -> int:
    two.world.starts_held = True
    job = two.command()
    two.until_state(job, "LOADING")
    return job


def running(two: Plant) -> int:
    job = two.command()
    two.started(job)
    return job


def before_its_retry(two: Plant) -> int:
    job = two.command(retry={"max": 3, "on": ["error"], "backoff": "1h..1h"})
    two.end(job, code=1)
    return job


PHASES = [waiting, after_another, starting, running, before_its_retry]


@pytest.mark.parametrize("force", [False, True], ids=["gently", "by force"])
@pytest.mark.parametrize("phase", PHASES)
def test_cancel(two: Plant, phase: Callable[[Plant], int], force: bool) -> None:
    job = phase(two)
    two.cancel(job, force=force, reason="not needed")
    two.world.change(lambda: setattr(two.world, "starts_held", False))
    view = two.until_state(job, "CANCELLED")
    assert (view["cause"], view["faults"]) == ("cancelled", [])
    assert "not needed" in " ".join(line["text"] for line in two.story(job))
    assert two.cancel(job, force=True) == view, "what is over stays as it is"
    assert not [k for k in two.world.node_commands.running if k[0] == JobKey(job)]
    last = (JobKey(job), view["attempt"])
    assert last not in two.world.node_commands.finished
    assert JobKey(job) not in two.core.queue


def test_a_deaf_command_is_killed_after_its_grace(two: Plant) -> None:
    two.world.node_commands.deaf = True
    job = two.command(grace="0.05s")
    command = two.started(job)
    two.cancel(job)
    view = two.until_state(job, "CANCELLED")
    assert command.signals == [SIGTERM, SIGKILL]
    assert view["command"]["signal"] == "SIGKILL"


def test_a_cancel_can_say_another_grace_and_can_be_forced(two: Plant) -> None:
    two.world.node_commands.deaf = True
    job, other = two.command(grace="1h"), two.command(grace="1h")
    first, second = two.started(job), two.started(other)
    assert two.cancel(job)["state"] == "STOPPING"
    assert two.cancel(job)["state"] == "STOPPING"
    two.cancel(job, force=True)
    two.until_state(job, "CANCELLED")
    two.cancel(other, grace_s=0.02)
    two.until_state(other, "CANCELLED")
    assert first.signals == second.signals == [SIGTERM, SIGKILL]


def test_a_cancelled_command_makes_room(two: Plant) -> None:
    first = blocked(two)
    second = two.command()
    two.cancel(first)
    two.end(second)
