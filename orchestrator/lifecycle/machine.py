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
    """A runner is at work, or being started."""
    restarts: dict[int | str, int] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()
    story: list[Step] = field(default_factory=list)

    def handle(self, event: Event) -> tuple[Instruction, ...]:
        """Take in what happened; return what to do, in order."""
        instructions = () if self.state.final else tuple(self._react(event))
        self.story.append(Step(event, self.state, instructions))
        return instructions

    def _react(self, event: Event) -> list[Instruction]:  # noqa: C901 - a table
        match event:
            case Planned():
                return self._planned(event)
            case NoPlace() | LeaseRefused():
                # The queue asks again when a GPU reports something new.
                return []
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
                return self._start_over("the controller restarted")
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
        self.faults = faults
        if self.running:
            self.state = State.STOPPING
            return [StopRunner(force=True, cause=cause)]
        return self._finish(State.FAILED, faults, cause)

    def _runner_ended(self, event: RunnerEnded) -> list[Instruction]:
        self.running = False
        if event.stopped and not self.faults:
            return self._finish(State.CANCELLED, (), "cancelled")
        if event.stopped:
            return self._finish(State.FAILED, self.faults, "no replica is left")
        outcome = State.FAILED if event.faults else State.SUCCEEDED
        return self._finish(outcome, event.faults, "the runner is done")

    def _runner_lost(self, event: RunnerLost) -> list[Instruction]:
        self.running = False
        if self.state is State.STOPPING:
            outcome = State.FAILED if self.faults else State.CANCELLED
            return self._finish(outcome, self.faults, "stopped")
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
            self.state = State.STOPPING
            return [StopRunner(force=event.force, cause="cancelled")]
        return self._finish(State.CANCELLED, (), "cancelled")

    def _start_over(self, cause: str) -> list[Instruction]:
        drops = [DropReplica(r, cause) for r in self.replicas]
        stop = [StopRunner(force=True, cause=cause)] if self.running else []
        self.state = State.PENDING
        self.replicas, self.running, self.faults = {}, False, ()
        return [*stop, *drops, FindPlace(cause)]

    def _finish(
        self, state: State, faults: tuple[Fault, ...], cause: str
    ) -> list[Instruction]:
        self.state = state
        self.faults = faults
        for replica, was in self.replicas.items():
            if was is not ReplicaState.LOST:
                self.replicas[replica] = ReplicaState.STOPPED
        return [Finish(state, faults, cause)]
