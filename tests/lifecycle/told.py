"""A job's machine in short words, with its promises checked after every event.

events        `planned 2`, `no place`, `refused`, `gave up E203`, `ready 0`,
              `failed 0 E102`, `failed 0 E103 everywhere`, `lost 0`, `lost 0 gone`,
              `ended`, `ended E404`, `ended stopped`, `runner lost`, `cancel`,
              `cancel force`, `restarted`
instructions  `find`, `start 0`, `drop 0`, `run 0,1`, `offer 1`, `stop`, `stop force`,
              `finish FAILED E102`
"""

from __future__ import annotations

from dataclasses import dataclass, field

from orchestrator.errors import Code, Fault
from orchestrator.lifecycle.machine import MAX_RESTARTS, JobMachine
from orchestrator.lifecycle.messages import (
    CancelRequested,
    ControllerRestarted,
    DropReplica,
    Event,
    FindPlace,
    Finish,
    GaveUp,
    Instruction,
    LeaseRefused,
    NoPlace,
    OfferReplica,
    Planned,
    ReplicaFailed,
    ReplicaLost,
    ReplicaReady,
    RunnerEnded,
    RunnerLost,
    StartReplica,
    StartRunner,
    StopRunner,
)
from orchestrator.lifecycle.states import ReplicaState, State


def fault(code: str) -> Fault:
    return Fault(Code(code), f"{code} happened")


_PLAIN: dict[str, Event] = {
    "no-place": NoPlace("no room"),
    "refused": LeaseRefused("taken"),
    "runner-lost": RunnerLost(fault("E502")),
    "restarted": ControllerRestarted(),
}


def event_of(text: str) -> Event:
    text = text.replace("no place", "no-place").replace("runner lost", "runner-lost")
    what, *words = text.split()
    codes = tuple(fault(word) for word in words if word.startswith("E"))
    if what in _PLAIN:
        return _PLAIN[what]
    match what:
        case "planned":
            return Planned(int(words[0]))
        case "ready":
            return ReplicaReady(int(words[0]))
        case "failed":
            return ReplicaFailed(int(words[0]), codes[0], "everywhere" in words)
        case "lost":
            gone = "gone" in words
            return ReplicaLost(int(words[0]), fault("E501" if gone else "E105"), gone)
        case "ended":
            return RunnerEnded(codes, "stopped" in words)
        case "cancel":
            return CancelRequested("force" in words)
        case _:
            return GaveUp(codes[0])


def text_of(instruction: Instruction) -> str:
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
        case Finish():
            codes = [str(f.code) for f in instruction.faults]
            return " ".join(["finish", str(instruction.state), *codes])


@dataclass
class Told:
    """A machine, and what its instructions have made of the world."""

    machine: JobMachine = field(default_factory=JobMachine)
    held: set[int] = field(default_factory=set)
    """Replicas that were started and not let go."""
    starts: dict[int, int] = field(default_factory=dict)
    """How often each was started since the last place was found."""
    runner: bool = False
    runners: int = 0
    finishes: int = 0

    def tell(self, event: str | Event) -> list[str]:
        """Give it an event; what it wants done, in words, after checking it all."""
        happened = event_of(event) if isinstance(event, str) else event
        over = self.machine.state.final
        if isinstance(happened, RunnerEnded | RunnerLost | ControllerRestarted):
            self.runner = False
        instructions = self.machine.handle(happened)
        assert not (over and instructions), "after the end nothing is instructed"
        if isinstance(happened, Planned) and instructions:
            self.starts = {}
        for instruction in instructions:
            self._obey(instruction, happened)
        self._check()
        return [text_of(instruction) for instruction in instructions]

    def _obey(self, instruction: Instruction, cause: Event) -> None:
        match instruction:
            case StartReplica(replica):
                again = (
                    isinstance(cause, ReplicaLost | ReplicaFailed)
                    and cause.replica == replica
                )
                assert replica not in self.held or again, "a replica is started once"
                self.held.add(replica)
                self.starts[replica] = self.starts.get(replica, 0) + 1
            case DropReplica(replica):
                assert replica in self.held, "only what is held is dropped, and once"
                self.held.remove(replica)
            case StartRunner(replicas):
                assert not self.runner, "never two runners at once"
                assert replicas
                assert set(replicas) <= self.held
                self.runner, self.runners = True, self.runners + 1
            case OfferReplica(replica):
                assert self.runner
                assert replica in self.held
            case StopRunner():
                assert self.runner
            case Finish():
                assert not self.runner, "nobody ends a job under its runner"
                self.finishes += 1
            case FindPlace():
                assert not self.held, "a job that looks for a place holds none"

    def _check(self) -> None:
        machine = self.machine
        alive = {
            replica
            for replica, state in machine.replicas.items()
            if state in (ReplicaState.LOADING, ReplicaState.READY)
        }
        assert machine.running == self.runner
        assert alive <= self.held
        assert self.finishes == machine.state.final
        assert all(n <= 1 + MAX_RESTARTS for n in self.starts.values())
        match machine.state:
            case State.PENDING:
                assert not self.held
            case State.LOADING:
                assert alive == self.held != set()
            case State.RUNNING:
                assert alive == self.held != set()
            case State.STOPPING:
                assert self.runner, "a job that stops waits for its runner alone"
            case State.SUCCEEDED | State.FAILED | State.CANCELLED:
                assert not alive
        if machine.faults:
            assert machine.state is not State.CANCELLED
