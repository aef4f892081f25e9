"""Events and instructions in short words; `told` says which."""

from __future__ import annotations

from orchestrator.errors import Code, Fault
from orchestrator.lifecycle.events import (
    CancelRequested,
    CommandEnded,
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
from orchestrator.lifecycle.machine import JobMachine
from orchestrator.lifecycle.states import State


def fault(code: str) -> Fault:
    return Fault(Code(code), f"{code} happened")


_PLAIN: dict[str, Event] = {
    "no place": NoPlace("no room"),
    "refused": LeaseRefused("taken"),
    "runner lost": RunnerLost(fault("E502")),
    "restarted": ControllerRestarted(),
    "retry": RetryRequested(),
    "retry scratch": RetryRequested(RetryMode.SCRATCH),
}


def event_of(text: str, machine: JobMachine) -> Event:
    text, _, said = text.partition(" @")
    attempt = int(said or machine.attempt)
    if text in _PLAIN:
        return _PLAIN[text]
    what, *words = text.split()
    codes = tuple(fault(word) for word in words if word.startswith("E"))
    return (
        _of_replicas(what, words, codes)
        or _of_commands(what, words, codes, attempt)
        or _of_people(what, words, codes, attempt)
    )


def _of_replicas(what: str, words: list[str], codes: tuple[Fault, ...]) -> Event | None:
    match what:
        case "planned":
            return Planned(int(words[0]) if words else 0)
        case "ready":
            return ReplicaReady(int(words[0]))
        case "failed":
            return ReplicaFailed(int(words[0]), codes[0], "everywhere" in words)
        case "lost":
            gone = "gone" in words
            found = codes[0] if codes else fault("E501" if gone else "E105")
            return ReplicaLost(int(words[0]), found, gone)
        case "ended":
            return RunnerEnded(codes, "stopped" in words)
        case _:
            return None


def _of_commands(
    what: str, words: list[str], codes: tuple[Fault, ...], attempt: int
) -> Event | None:
    match what:
        case "pid":
            return CommandStarted(attempt, int(words[0]))
        case "exit":
            return CommandEnded(attempt, int(words[0]))
        case "killed":
            return CommandEnded(attempt, None, "SIGKILL")
        case "gone":
            return CommandLost(attempt, codes[0])
        case _:
            return None


def _of_people(
    what: str, words: list[str], codes: tuple[Fault, ...], attempt: int
) -> Event:
    match what:
        case "cancel":
            grace_s = next((float(word) for word in words if word.isdigit()), None)
            return CancelRequested("force" in words, grace_s)
        case "over":
            return TimedOut(attempt, Phase(words[0]), 60.0)
        case "grace":
            return GraceOver(attempt)
        case "due":
            return RetryDue(attempt)
        case "after":
            return DependencyFailed(JobKey.parse(words[0]), State(words[1]))
        case _:
            return GaveUp(codes[0])


def text_of(instruction: Instruction) -> str:  # noqa: C901 - a table
    match instruction:
        case FindPlace():
            return "find"
        case StartReplica():
            return f"start {instruction.replica}"
        case DropReplica():
            return f"drop {instruction.replica}"
        case StartRunner():
            return "run " + ",".join(map(str, instruction.replicas))
        case OfferReplica():
            return f"offer {instruction.replica}"
        case StopRunner():
            return "stop force" if instruction.force else "stop"
        case StartCommand():
            return "command"
        case StopCommand():
            return "kill" if instruction.force else "term"
        case ArmGrace():
            return f"grace {instruction.seconds:.0f}"
        case RetryLater(attempt, delay_s):
            return " ".join([f"later {attempt} {delay_s:.0f}", *_end(instruction)])
        case Finish():
            return " ".join(["finish", *_end(instruction)])


def _end(end: RetryLater | Finish) -> list[str]:
    return [str(end.state), *(str(f.code) for f in end.faults)]
