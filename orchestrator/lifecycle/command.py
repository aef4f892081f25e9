"""The life of a command: one process on one node."""

from __future__ import annotations

from typing import assert_never

from orchestrator.lifecycle.ending import command_ended, failed
from orchestrator.lifecycle.events import (
    CommandEnded,
    CommandEvent,
    CommandLost,
    CommandStarted,
)
from orchestrator.lifecycle.instructions import FindPlace, Instruction, StartCommand
from orchestrator.lifecycle.life import Life
from orchestrator.lifecycle.states import State


def too_late(life: Life, event: CommandEvent) -> bool:
    """Whether it tells of an earlier attempt, or of one that was never started."""
    return event.attempt != life.attempt or not life.running


def react(life: Life, event: CommandEvent) -> list[Instruction]:
    """What follows from an event that is not too late."""
    stopping = life.state is State.STOPPING
    match event:
        case CommandStarted():
            return _started(life)
        case CommandEnded() | CommandLost() if stopping:
            # Even 0: it was told to stop, and nobody knows what it left undone.
            return life.rest()
        case CommandEnded():
            return life.over(command_ended(event))
        case CommandLost():
            return life.over(failed((event.fault,)))
        case _:
            assert_never(event)


def planned(life: Life) -> list[Instruction]:
    """Its share of a node is held: start it."""
    life.running = True
    return [StartCommand(life.attempt, "planned")]


def restarted(life: Life) -> list[Instruction]:
    """A new controller does not know whether it runs; its node does."""
    cause = "the controller restarted"
    if life.state is State.STOPPING:
        return life.stop(cause, force=False)
    if life.running:
        return [StartCommand(life.attempt, cause)]
    return [] if life.waits_for_retry else [FindPlace(cause)]


def _started(life: Life) -> list[Instruction]:
    if life.state is State.STOPPING:
        # It was told to stop before it was there to hear it.
        return life.stop("it had to stop before it had started", force=False)
    life.state = State.RUNNING
    return []
