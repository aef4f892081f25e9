"""One job's state machine. `handle` is the only gate; everything else is reading.

The protocol (events in, instructions out, a story that can be asked) is that of
dask's worker state machine, at the size of one job.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import assert_never

from orchestrator.errors import Code, Fault
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

MAX_RESTARTS = 3
"""How often a replica, or the runner, is started again after a death."""


@dataclass(frozen=True, slots=True)
class Step:
    """One event and what came of it: a line of the job's story."""

    event: Event
    state: State
    instructions: tuple[Instruction, ...]


@dataclass(slots=True)
class JobMachine:
    """A job's life. Read its attributes; change them only through `handle`."""

    state: State = State.PENDING
    replicas: dict[int, ReplicaState] = field(default_factory=dict)
    running: bool = False
    """A runner is at work, or being started, or waits for its next replica."""
    restarts: dict[int | str, int] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()
    outcome: State = State.CANCELLED
    """What a job that is stopping becomes when its runner has come to rest."""
    story: list[Step] = field(default_factory=list)

    def handle(self, event: Event) -> tuple[Instruction, ...]:
        """Take in what happened; return what to do, in order."""
        over = self.state.final or self._too_late(event)
        instructions = () if over else tuple(self._react(event))
        self.story.append(Step(event, self.state, instructions))
        return instructions

    def _too_late(self, event: Event) -> bool:
        """Whether it tells of a replica, a runner or a plan that is none any more."""
        match event:
            case Planned() | GaveUp():
                return self.state is not State.PENDING
            case ReplicaReady() | ReplicaFailed():
                return self.replicas.get(event.replica) is not ReplicaState.LOADING
            case ReplicaLost():
                return self.replicas.get(event.replica) is not ReplicaState.READY
            case RunnerLost():
                return not self.running
            case RunnerEnded():
                # Without a runner it is the queue that gives up, and says why.
                return not self.running and not event.faults
            case _:
                return False

    def _react(self, event: Event) -> list[Instruction]:  # noqa: C901 - a table
        match event:
            case Planned():
                return self._planned(event)
            case NoPlace() | LeaseRefused():
                # The queue asks again when a GPU reports something new.
                return []
            case GaveUp():
                return self._end((event.fault,), event.fault.message)
            case ReplicaReady():
                return self._replica_ready(event)
            case ReplicaFailed():
                return self._replica_failed(event)
            case ReplicaLost():
                return self._replica_lost(event)
            case RunnerEnded():
                return self._runner_ended(event)
            case RunnerLost():
                return self._runner_lost(event)
            case CancelRequested():
                return self._cancel(event)
            case ControllerRestarted():
                return self._restarted()
            case _:
                assert_never(event)

    def _planned(self, event: Planned) -> list[Instruction]:
        self.state = State.LOADING
        self.replicas = dict.fromkeys(range(event.replicas), ReplicaState.LOADING)
        return [StartReplica(replica, "planned") for replica in self.replicas]

    def _replica_ready(self, event: ReplicaReady) -> list[Instruction]:
        if self.state is State.STOPPING:
            return []
        self.replicas[event.replica] = ReplicaState.READY
        self.state = State.RUNNING
        if self.running:
            return [OfferReplica(event.replica, "ready")]
        self.running = True
        return [StartRunner((event.replica,), "the first replica is ready")]

    def _replica_failed(self, event: ReplicaFailed) -> list[Instruction]:
        again = self.restarts.get(event.replica, 0) + 1
        if event.fault.code is Code.GPU_LOST and again <= MAX_RESTARTS:
            # Its process or the zygote died; nothing is wrong with the job.
            self.restarts[event.replica] = again
            return [StartReplica(event.replica, event.fault.message)]
        self.replicas[event.replica] = ReplicaState.LOST
        self.faults = (*self.faults, event.fault)
        drop = DropReplica(event.replica, event.fault.message)
        if event.everywhere:
            return [drop, *self._end((event.fault,), event.fault.message)]
        return [drop, *self._end_if_alone(event.fault)]

    def _replica_lost(self, event: ReplicaLost) -> list[Instruction]:
        if self.state is State.STOPPING:
            self.replicas[event.replica] = ReplicaState.LOST
            return []
        again = self.restarts.get(event.replica, 0) + 1
        self.restarts[event.replica] = again
        if again <= MAX_RESTARTS and not event.gone:
            self.replicas[event.replica] = ReplicaState.LOADING
            return [StartReplica(event.replica, event.fault.message)]
        self.replicas[event.replica] = ReplicaState.LOST
        self.faults = (*self.faults, event.fault)
        drop = DropReplica(event.replica, event.fault.message)
        return [drop, *self._end_if_alone(event.fault)]

    def _end_if_alone(self, fault: Fault) -> list[Instruction]:
        alive = (ReplicaState.LOADING, ReplicaState.READY)
        if any(state in alive for state in self.replicas.values()):
            return []
        if fault.code is Code.NODE_LOST and self.state is not State.STOPPING:
            return self._start_over("every node of the job was lost")
        return self._end(self.faults, "no replica is left")

    def _end(self, faults: tuple[Fault, ...], cause: str) -> list[Instruction]:
        if not self.running:
            return self._finish(State.FAILED, faults, cause)
        if self.state is not State.STOPPING:
            self.state, self.outcome, self.faults = State.STOPPING, State.FAILED, faults
        return [StopRunner(force=True, cause=cause)]

    def _runner_ended(self, event: RunnerEnded) -> list[Instruction]:
        self.running = False
        if event.stopped:
            return self._rest("stopped")
        outcome = State.FAILED if event.faults else State.SUCCEEDED
        return self._finish(outcome, event.faults, "the runner is done")

    def _runner_lost(self, event: RunnerLost) -> list[Instruction]:
        self.running = False
        if self.state is State.STOPPING:
            return self._rest("stopped")
        again = self.restarts.get("runner", 0) + 1
        self.restarts["runner"] = again
        if again > MAX_RESTARTS:
            return self._finish(State.FAILED, (event.fault,), event.fault.message)
        ready = [r for r, s in self.replicas.items() if s is ReplicaState.READY]
        if not ready:
            # The next replica that becomes ready starts the runner.
            return []
        self.running = True
        return [StartRunner(tuple(ready), event.fault.message)]

    def _cancel(self, event: CancelRequested) -> list[Instruction]:
        if self.running:
            if self.state is not State.STOPPING:
                self.state, self.outcome = State.STOPPING, State.CANCELLED
            return [StopRunner(force=event.force, cause="cancelled")]
        return self._finish(State.CANCELLED, (), "cancelled")

    def _restarted(self) -> list[Instruction]:
        self.running = False
        if self.state is State.STOPPING:
            return self._rest("the controller restarted")
        return self._start_over("the controller restarted")

    def _start_over(self, cause: str) -> list[Instruction]:
        """Wait for a new place; a runner that runs waits too, for its next replica."""
        drops = [
            DropReplica(replica, cause)
            for replica, state in self.replicas.items()
            if state is not ReplicaState.LOST
        ]
        self.state, self.replicas, self.faults = State.PENDING, {}, ()
        return [*drops, FindPlace(cause)]

    def _rest(self, cause: str) -> list[Instruction]:
        faults = self.faults if self.outcome is State.FAILED else ()
        return self._finish(self.outcome, faults, cause)

    def _finish(
        self, state: State, faults: tuple[Fault, ...], cause: str
    ) -> list[Instruction]:
        self.state = state
        self.faults = faults
        for replica, was in self.replicas.items():
            if was is not ReplicaState.LOST:
                self.replicas[replica] = ReplicaState.STOPPED
        return [Finish(state, faults, cause)]
