"""A job's machine in short words, with its promises checked after every event.

events        `planned 2`, `no place`, `refused`, `gave up E203`, `ready 0`,
              `failed 0 E102`, `failed 0 E103 everywhere`, `lost 0`, `lost 0 gone`,
              `lost 0 E104`, `ended`, `ended E404`, `ended stopped`, `runner lost`,
              `cancel`, `cancel force`, `cancel 5`, `restarted`, `retry`, `due`,
              `grace over`,
              `over queue`, `over start`, `over run`, `after 41 FAILED`, `pid 7`,
              `exit 3`, `killed`, `gone E501`; `exit 3 @1` is of attempt 1
instructions  `find`, `start 0`, `drop 0`, `run 0,1`, `offer 1`, `stop`, `stop force`,
              `command`, `term`, `kill`, `grace 30`, `later 2 10 LOST E501`,
              `finish FAILED E102`
"""

from __future__ import annotations

from dataclasses import dataclass, field

from orchestrator.lifecycle.causes import Cause
from orchestrator.lifecycle.events import (
    CommandEnded,
    CommandLost,
    ControllerRestarted,
    Event,
    Planned,
    ReplicaFailed,
    ReplicaLost,
    RetryRequested,
    RunnerEnded,
    RunnerLost,
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
from orchestrator.lifecycle.life import MAX_RAISES
from orchestrator.lifecycle.machine import MAX_RESTARTS, JobMachine, Rules
from orchestrator.lifecycle.states import ReplicaState, State
from tests.lifecycle.spoken import event_of, text_of

COMMAND = Rules(kind="command")


@dataclass
class Told:
    """A machine, and what its instructions have made of the world."""

    machine: JobMachine = field(default_factory=JobMachine)
    held: set[int] = field(default_factory=set)
    """Replicas that were started and not let go."""
    starts: dict[int, int] = field(default_factory=dict)
    """How often each was started since the last place was found."""
    work: bool = False
    """A runner or a command is there."""
    queued: bool = True
    due: bool = False
    """RetryDue will come."""
    armed: bool = False
    """GraceOver will come."""
    finished: bool = False
    attempts: int = 1
    """Since one was last asked for, without those that follow a lack of memory."""
    raises: int = 0
    """Those."""

    def tell(self, event: str | Event) -> list[str]:
        """Give it an event; what it wants done, in words, after checking it all."""
        happened = event_of(event, self.machine) if isinstance(event, str) else event
        over, again = self.machine.state.final, isinstance(happened, RetryRequested)
        if self._rests(happened):
            self.work = False
        instructions = self.machine.handle(happened)
        assert bool(over and instructions) == (over and again), "an end is an end"
        if isinstance(happened, Planned) and instructions:
            self.starts, self.queued, self.due = {}, False, False
        if over and again:
            self.attempts, self.raises, self.finished = 1, 0, False
            self.held.clear()
        for instruction in instructions:
            self._obey(instruction, happened)
        self._check()
        return [text_of(instruction) for instruction in instructions]

    def _rests(self, event: Event) -> bool:
        batch = self.machine.rules.kind == "batch"
        match event:
            case RunnerEnded() | RunnerLost() | ControllerRestarted():
                return batch
            case CommandEnded() | CommandLost():
                return not batch and event.attempt == self.machine.attempt
            case _:
                return False

    def _obey(self, instruction: Instruction, cause: Event) -> None:  # noqa: C901
        match instruction:
            case StartReplica() | DropReplica():
                self._obey_replica(instruction, cause)
            case StartRunner(replicas):
                assert not self.work, "never two runners at once"
                assert replicas
                assert set(replicas) <= self.held
                self.work = True
            case OfferReplica(replica):
                assert self.work
                assert replica in self.held
            case StartCommand(attempt):
                again = isinstance(cause, ControllerRestarted)
                assert self.work == again, "a command is started once"
                assert attempt == self.machine.attempt
                self.work = True
            case StopRunner(force) | StopCommand(_, force):
                assert self.work
                assert force == self.machine.forced
            case ArmGrace():
                self.armed = True
            case FindPlace():
                assert not self.held, "a job that looks for a place holds none"
                self.queued, self.due = True, False
            case RetryLater() | Finish():
                self._obey_end(instruction)

    def _obey_replica(self, what: StartReplica | DropReplica, cause: Event) -> None:
        replica = what.replica
        if isinstance(what, DropReplica):
            assert replica in self.held, "only what is held is dropped, and once"
            self.held.remove(replica)
            return
        again = (
            isinstance(cause, ReplicaLost | ReplicaFailed) and cause.replica == replica
        )
        assert replica not in self.held or again, "a replica is started once"
        self.held.add(replica)
        self.starts[replica] = self.starts.get(replica, 0) + 1

    def _obey_end(self, end: RetryLater | Finish) -> None:
        assert not self.work, "nobody ends an attempt under its runner"
        assert end.state.final
        assert (end.why is None) == (end.state is State.SUCCEEDED)
        self.armed, self.queued = False, False
        if isinstance(end, Finish):
            self.finished, self.due = True, False
            return
        assert not self.held, "a new attempt begins with no lease"
        assert end.attempt == self.machine.attempt
        self.due = True
        if end.why is Cause.CUDA_OOM:
            self.raises += 1
        else:
            self.attempts += 1

    def _check(self) -> None:
        machine = self.machine
        living = (ReplicaState.LOADING, ReplicaState.READY)
        alive = {r for r, state in machine.replicas.items() if state in living}
        assert machine.running == self.work
        assert alive <= self.held
        assert self.finished == machine.state.final
        assert self.attempts == machine.tries <= machine.rules.retry.max + 1
        assert self.raises <= machine.raises <= MAX_RAISES
        assert all(n <= 1 + MAX_RESTARTS for n in self.starts.values())
        match machine.state:
            case State.PENDING:
                assert not self.held
                assert self.queued != self.due, "it waits for one thing"
                assert self.due == machine.waits_for_retry
            case State.LOADING | State.RUNNING if machine.rules.kind == "command":
                assert self.work
            case State.LOADING | State.RUNNING:
                assert alive == self.held != set()
            case State.STOPPING:
                assert self.work, "a job that stops waits for its runner alone"
                assert self.armed or machine.forced, "nor for ever"
            case _:
                assert not alive
        if machine.faults:
            assert machine.state not in (State.CANCELLED, State.SUCCEEDED)


def check(story: str, rules: Rules | None = None) -> None:
    """Tell a story: each line is an event, its instructions and the state after it.

    Columns are two blanks apart or more.
    """
    told = Told(JobMachine(rules or Rules()))
    for line in filter(None, map(str.strip, story.splitlines())):
        event, wanted, state = (p.strip() for p in line.split("  ") if p.strip())
        instructions = "; ".join(told.tell(event)) or "-"
        assert instructions == wanted, f"{line}: {instructions}"
        assert told.machine.state == state, line
