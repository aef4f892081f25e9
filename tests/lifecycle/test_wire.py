from __future__ import annotations

import json
from typing import Any, get_args

import pytest

from orchestrator.lifecycle.causes import Cause
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
    Phase,
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
from orchestrator.lifecycle.key import JobKey
from orchestrator.lifecycle.states import State
from orchestrator.lifecycle.wire import event_to_json, instruction_to_json
from tests.lifecycle.spoken import fault

_E102, _E501 = fault("E102"), fault("E501")

EVENTS: list[tuple[Event, str]] = [
    (Planned(2), "a place for 2 replicas was found"),
    (Planned(1, "a:0"), "a place for 1 replica was found on a:0"),
    (Planned(where="a"), "a place was found on a"),
    (NoPlace("it needs 2 GPUs"), "no place now: it needs 2 GPUs"),
    (GaveUp(_E102), "it cannot be placed: E102 E102 happened"),
    (LeaseRefused("a:0 is taken"), "its place was gone: a:0 is taken"),
    (ReplicaReady(1), "replica 1 is ready"),
    (ReplicaFailed(1, _E102, True), "replica 1 did not start: E102 E102 happened"),
    (ReplicaLost(1, _E501, True), "replica 1 was lost: E501 E501 happened"),
    (RunnerEnded(), "every row was dealt with"),
    (RunnerEnded(stopped=True), "the runner has stopped"),
    (
        RunnerEnded((_E102, _E501)),
        "the runner gave up: E102 E102 happened; E501 E501 happened",
    ),
    (RunnerLost(_E501), "the runner was lost: E501 E501 happened"),
    (CommandStarted(1, 77), "the command runs as pid 77"),
    (CommandEnded(1, 0), "the command returned 0"),
    (CommandEnded(1, 3), "the command returned 3"),
    (CommandEnded(1, None, "SIGKILL"), "SIGKILL ended the command"),
    (CommandLost(1, _E501), "the command was lost: E501 E501 happened"),
    (TimedOut(1, Phase.RUN, 90.0), "it ran longer than timeout.run (1m30s)"),
    (TimedOut(1, Phase.START, 9), "it took longer to start than timeout.start (9.0 s)"),
    (GraceOver(1), "its grace is over"),
    (RetryDue(2), "attempt 2 is due"),
    (
        RetryRequested(RetryMode.FAILED),
        "a retry was asked for: only failed rows run again",
    ),
    (DependencyFailed(JobKey(41, 3), State.LOST), "job 41.3 ended as LOST"),
    (CancelRequested(), "its end was asked for"),
    (
        CancelRequested(True, reason="wrong model"),
        "its end was asked for, at once: wrong model",
    ),
    (ControllerRestarted(), "the controller was started anew"),
]

INSTRUCTIONS: list[tuple[Instruction, str]] = [
    (FindPlace("why"), "look for a place: why"),
    (StartReplica(1, "why"), "start replica 1: why"),
    (DropReplica(1, "why"), "let replica 1 go: why"),
    (StartRunner((0,), "why"), "start the runner with replica 0: why"),
    (StartRunner((0, 2), "why"), "start the runner with replicas 0, 2: why"),
    (OfferReplica(1, "why"), "give the runner replica 1: why"),
    (StopRunner(False, "why"), "ask the runner to stop: why"),
    (StopRunner(True, "why"), "end the runner: why"),
    (StartCommand(2, "why"), "start the command, attempt 2: why"),
    (StopCommand(1, False, "why"), "send SIGTERM: why"),
    (StopCommand(1, True, "why"), "send SIGKILL: why"),
    (ArmGrace(1, 30.0, "why"), "give it 30 s to stop: why"),
    (
        RetryLater(2, 10.0, State.LOST, (_E501,), "why", Cause.NODE_LOST),
        "begin attempt 2 in 10 s: why",
    ),
    (Finish(State.SUCCEEDED, (), "why"), "end it as SUCCEEDED: why"),
]


def _ids(message: object) -> str:
    return type(message).__name__ if not isinstance(message, str) else ""


@pytest.mark.parametrize(("event", "text"), EVENTS, ids=_ids)
def test_an_event_in_words(event: Event, text: str) -> None:
    assert event_to_json(event)["text"] == text


@pytest.mark.parametrize(("instruction", "text"), INSTRUCTIONS, ids=_ids)
def test_an_instruction_in_words(instruction: Instruction, text: str) -> None:
    assert instruction_to_json(instruction)["text"] == text


def test_every_message_is_in_the_tables() -> None:
    events = {type(event) for event, _ in EVENTS}
    assert events == set(get_args(Event))
    assert events >= {*get_args(BatchEvent), *get_args(CommandEvent)}
    assert {type(deed) for deed, _ in INSTRUCTIONS} == set(get_args(Instruction))


@pytest.mark.parametrize(
    "data",
    [event_to_json(event) for event, _ in EVENTS]
    + [instruction_to_json(deed) for deed, _ in INSTRUCTIONS],
)
def test_all_of_it_is_json(data: dict[str, Any]) -> None:
    assert json.loads(json.dumps(data)) == data


def test_the_fields_are_named() -> None:
    assert event_to_json(DependencyFailed(JobKey(41, 3), State.LOST)) == {
        "event": "dependency_failed",
        "text": "job 41.3 ended as LOST",
        "data": {"job": "41.3", "state": "LOST"},
    }
    later = RetryLater(2, 10.0, State.LOST, (_E501,), "gone", Cause.NODE_LOST)
    assert instruction_to_json(later) == {
        "instruction": "retry_later",
        "text": "begin attempt 2 in 10 s: gone",
        "data": {
            "attempt": 2,
            "delay_s": 10.0,
            "state": "LOST",
            "faults": [json.loads(json.dumps(_E501.to_json()))],
            "cause": "gone",
            "why": "node_lost",
        },
    }
