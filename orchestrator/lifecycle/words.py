"""Events and instructions as sentences, for the story that `orch explain` tells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from orchestrator.errors import Fault
from orchestrator.lifecycle.causes import Cause
from orchestrator.lifecycle.ending import command_ended, timed_out
from orchestrator.lifecycle.events import (
    BatchEvent,
    CancelRequested,
    CommandEnded,
    CommandEvent,
    CommandLost,
    CommandStarted,
    ControllerRestarted,
    DependencyFailed,
    Event,
    GaveUp,
    GraceOver,
    LeaseRefused,
    NoPlace,
    Planned,
    ReplicaFailed,
    ReplicaLost,
    ReplicaReady,
    RetryDue,
    RetryMode,
    RetryRequested,
    RunnerEnded,
    RunnerLost,
    TimedOut,
)
from orchestrator.lifecycle.instructions import (
    ArmGrace,
    DropReplica,
    FindPlace,
    Finish,
    Instruction,
    OfferReplica,
    RetryLater,
    StartCommand,
    StartReplica,
    StartRunner,
    StopCommand,
    StopRunner,
)
from orchestrator.units import format_duration

_MODES = {
    RetryMode.RESUME: "what is finished stays",
    RetryMode.FAILED: "only failed rows run again",
    RetryMode.SCRATCH: "everything runs again",
}


def event_text(event: Event) -> str:
    """What happened, in one clause."""
    if isinstance(event, BatchEvent):
        return _batch(event)
    if isinstance(event, CommandEvent):
        return _command(event)
    if isinstance(event, TimedOut | GraceOver | RetryDue):
        return _time(event)
    if isinstance(event, CancelRequested | RetryRequested):
        return _asked(event)
    return _placing(event)


def instruction_text(instruction: Instruction) -> str:
    """What is to be done and why, in one clause."""
    return f"{_deed(instruction)}: {instruction.cause}"


def _batch(event: BatchEvent) -> str:
    match event:
        case ReplicaReady():
            return f"replica {event.replica} is ready"
        case ReplicaFailed():
            return f"replica {event.replica} did not start: {_said(event.fault)}"
        case ReplicaLost():
            return f"replica {event.replica} was lost: {_said(event.fault)}"
        case RunnerEnded():
            return _runner_ended(event)
        case RunnerLost():
            return f"the runner was lost: {_said(event.fault)}"
        case _:
            assert_never(event)


def _runner_ended(event: RunnerEnded) -> str:
    if event.faults:
        return f"the runner gave up: {'; '.join(map(_said, event.faults))}"
    return "the runner has stopped" if event.stopped else "every row was dealt with"


def _command(event: CommandEvent) -> str:
    match event:
        case CommandStarted():
            return f"the command runs as pid {event.pid}"
        case CommandEnded():
            return command_ended(event).cause
        case CommandLost():
            return f"the command was lost: {_said(event.fault)}"
        case _:
            assert_never(event)


def _time(event: TimedOut | GraceOver | RetryDue) -> str:
    match event:
        case TimedOut():
            return timed_out(event).cause
        case GraceOver():
            return "its grace is over"
        case RetryDue():
            return f"attempt {event.attempt} is due"
        case _:
            assert_never(event)


def _asked(event: CancelRequested | RetryRequested) -> str:
    if isinstance(event, RetryRequested):
        return f"a retry was asked for: {_MODES[event.mode]}"
    force = ", at once" if event.force else ""
    reason = f": {event.reason}" if event.reason else ""
    return f"its end was asked for{force}{reason}"


def _placing(
    event: Planned
    | NoPlace
    | GaveUp
    | LeaseRefused
    | DependencyFailed
    | ControllerRestarted,
) -> str:
    match event:
        case Planned():
            return _planned(event)
        case NoPlace():
            return f"no place now: {event.summary}"
        case GaveUp():
            return f"it cannot be placed: {_said(event.fault)}"
        case LeaseRefused():
            return f"its place was gone: {event.reason}"
        case DependencyFailed():
            return f"job {event.job} ended as {event.state}"
        case ControllerRestarted():
            return "the controller was started anew"
        case _:
            assert_never(event)


def _planned(event: Planned) -> str:
    where = f" on {event.where}" if event.where else ""
    if not event.replicas:
        return f"a place was found{where}"
    return f"a place for {_counted(event.replicas, 'replica')} was found{where}"


def _deed(instruction: Instruction) -> str:  # noqa: C901 - a table
    match instruction:
        case FindPlace():
            return "look for a place"
        case StartReplica():
            return f"start replica {instruction.replica}"
        case DropReplica():
            return f"let replica {instruction.replica} go"
        case StartRunner():
            return f"start the runner with {_replicas(instruction.replicas)}"
        case OfferReplica():
            return f"give the runner replica {instruction.replica}"
        case StopRunner():
            return "end the runner" if instruction.force else "ask the runner to stop"
        case StartCommand():
            return f"start the command, attempt {instruction.attempt}"
        case StopCommand():
            return "send SIGKILL" if instruction.force else "send SIGTERM"
        case ArmGrace():
            return f"give it {format_duration(instruction.seconds)} to stop"
        case RetryLater():
            return _retry(instruction)
        case Finish():
            return f"end it as {instruction.state}"
        case _:
            assert_never(instruction)


def _retry(later: RetryLater) -> str:
    if later.why is Cause.CUDA_OOM:
        return f"begin attempt {later.attempt} with more GPU memory, or elsewhere"
    return f"begin attempt {later.attempt} in {format_duration(later.delay_s)}"


def _replicas(replicas: Sequence[int]) -> str:
    numbers = ", ".join(map(str, replicas))
    return f"replica {numbers}" if len(replicas) == 1 else f"replicas {numbers}"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _said(fault: Fault) -> str:
    return f"{fault.code} {fault.message}"
