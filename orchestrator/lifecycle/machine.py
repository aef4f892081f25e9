"""One job's state machine. `handle` is the only gate; everything else is reading.

The protocol (events in, instructions out, a story that can be asked) is that of
dask's worker state machine, at the size of one job.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import assert_never

from orchestrator.lifecycle import batch, command
from orchestrator.lifecycle.ending import cancelled, failed, skipped, timed_out
from orchestrator.lifecycle.events import (
    BatchEvent,
    CancelRequested,
    CommandEvent,
    ControllerRestarted,
    DependencyFailed,
    Event,
    GaveUp,
    GraceOver,
    LeaseRefused,
    NoPlace,
    Phase,
    Planned,
    RetryDue,
    RetryRequested,
    TimedOut,
)
from orchestrator.lifecycle.instructions import ArmGrace, FindPlace, Instruction
from orchestrator.lifecycle.life import MAX_RAISES, MAX_RESTARTS, Kind, Life, Rules
from orchestrator.lifecycle.states import State

__all__ = ["MAX_RESTARTS", "JobMachine", "Kind", "Rules", "Step"]


@dataclass(frozen=True, slots=True)
class Step:
    """One event and what came of it: a line of the job's story."""

    event: Event
    state: State
    instructions: tuple[Instruction, ...]


@dataclass(slots=True)
class JobMachine(Life):
    """A job's life. Read its attributes; change them only through `handle`."""

    story: list[Step] = field(default_factory=list)

    def handle(self, event: Event) -> tuple[Instruction, ...]:
        """Take in what happened; return what to do, in order."""
        idle = self.ignores(event)
        instructions = () if idle else tuple(self._react(event))
        self.story.append(Step(event, self.state, instructions))
        return instructions

    def ignores(self, event: Event) -> bool:
        """Whether the event is of something that is over, or not of this kind."""
        if isinstance(event, RetryRequested) or self.state.final:
            return not (isinstance(event, RetryRequested) and self.state.final)
        if isinstance(event, BatchEvent):
            return self.rules.kind != "batch" or batch.too_late(self, event)
        if isinstance(event, CommandEvent):
            return self.rules.kind != "command" or command.too_late(self, event)
        return self._too_late(event)

    def _too_late(self, event: Event) -> bool:
        match event:
            case Planned() | GaveUp():
                return self.state is not State.PENDING
            case DependencyFailed():
                return self.state is not State.PENDING or self.running
            case TimedOut():
                return event.attempt != self.attempt or not self._is_in(event.phase)
            case GraceOver():
                stopping = self.state is State.STOPPING and not self.forced
                return event.attempt != self.attempt or not stopping
            case RetryDue():
                return event.attempt != self.attempt or not self.waits_for_retry
            case _:
                return False

    def _is_in(self, phase: Phase) -> bool:
        match phase:
            case Phase.QUEUE:
                return self.state is State.PENDING
            case Phase.START:
                return self.state is State.LOADING
            case Phase.RUN:
                # Its time begins with its place: loading counts.
                return self.state in (State.LOADING, State.RUNNING)

    def _react(self, event: Event) -> list[Instruction]:  # noqa: C901 - a table
        if isinstance(event, BatchEvent):
            return batch.react(self, event)
        if isinstance(event, CommandEvent):
            return command.react(self, event)
        match event:
            case Planned():
                return self._planned(event)
            case NoPlace() | LeaseRefused():
                # The queue asks again when a GPU reports something new.
                return []
            case GaveUp():
                return self._gave_up(event)
            case DependencyFailed():
                return self.over(skipped(event))
            case TimedOut():
                return self._timed_out(event)
            case GraceOver():
                return self.stop("it did not stop within its grace", force=True)
            case RetryDue():
                self.waits_for_retry = False
                return [FindPlace(f"attempt {self.attempt} is due")]
            case RetryRequested():
                return self.begin_again(f"a retry was asked for ({event.mode})")
            case CancelRequested():
                return self._cancel(event)
            case ControllerRestarted():
                return self._restarted()
            case _:
                assert_never(event)

    def _planned(self, event: Planned) -> list[Instruction]:
        self.state, self.waits_for_retry = State.LOADING, False
        if self.rules.kind == "batch":
            return batch.planned(self, event)
        return command.planned(self)

    def _gave_up(self, event: GaveUp) -> list[Instruction]:
        # There is no place for it, with however much memory.
        self.raises = MAX_RAISES
        return self.end(failed((event.fault,)), force=True)

    def _timed_out(self, event: TimedOut) -> list[Instruction]:
        # Only work that is under way has something to save.
        return self.end(timed_out(event), force=event.phase is not Phase.RUN)

    def _cancel(self, event: CancelRequested) -> list[Instruction]:
        self.cancelled = True
        ending = cancelled(event)
        if not self.running:
            return self.over(ending)
        if self.state is not State.STOPPING:
            self.state, self.ending, self.faults = State.STOPPING, ending, ()
            return self.stop(ending.cause, force=event.force, grace_s=event.grace_s)
        if event.force:
            return self.stop(ending.cause, force=True)
        # It was asked to stop already. Asking again must not lengthen its grace.
        if event.grace_s is None or self.forced:
            return []
        return [ArmGrace(self.attempt, event.grace_s, ending.cause)]

    def _restarted(self) -> list[Instruction]:
        if self.rules.kind == "batch":
            return batch.restarted(self)
        return command.restarted(self)
