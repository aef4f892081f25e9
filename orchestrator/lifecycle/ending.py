"""How an attempt ends: the outcome, why in one word and in a sentence, the faults."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from orchestrator.errors import Code, Fault
from orchestrator.lifecycle.causes import Cause, main_cause, state_of
from orchestrator.lifecycle.events import (
    CancelRequested,
    CommandEnded,
    DependencyFailed,
    Phase,
    TimedOut,
)
from orchestrator.lifecycle.states import State
from orchestrator.units import format_duration


@dataclass(frozen=True, slots=True)
class Ending:
    """What an attempt becomes once it has come to rest."""

    state: State
    why: Cause | None
    """`None` if it succeeded."""
    cause: str
    faults: tuple[Fault, ...] = ()
    exit_code: int | None = None

    def to_json(self) -> dict[str, Any]:
        """The ending as JSON."""
        return {
            "state": str(self.state),
            "why": self.why and str(self.why),
            "cause": self.cause,
            "faults": [fault.to_json() for fault in self.faults],
            "exit_code": self.exit_code,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Ending:
        """The inverse of `to_json`."""
        return cls(
            state=State(data["state"]),
            why=Cause(data["why"]) if data["why"] else None,
            cause=data["cause"],
            faults=tuple(map(Fault.from_json, data["faults"])),
            exit_code=data["exit_code"],
        )


CANCELLED = Ending(State.CANCELLED, Cause.CANCELLED, "cancelled")


def cancelled(event: CancelRequested) -> Ending:
    """Somebody asked for it, perhaps saying why."""
    said = f"cancelled: {event.reason}" if event.reason else CANCELLED.cause
    return Ending(State.CANCELLED, Cause.CANCELLED, said)


def succeeded(cause: str) -> Ending:
    """Nothing is left to do."""
    return Ending(State.SUCCEEDED, None, cause)


def failed(faults: tuple[Fault, ...], cause: str = "") -> Ending:
    """Faults ended it; they decide the state."""
    why = main_cause(faults)
    return Ending(state_of(why), why, cause or faults[0].message, faults)


def skipped(event: DependencyFailed) -> Ending:
    """It never runs."""
    cause = f"job {event.job} ended as {event.state}, not as 'after' asks"
    return Ending(State.SKIPPED, Cause.DEPENDENCY, cause)


def command_ended(event: CommandEnded) -> Ending:
    """Its own end, not one that was asked for."""
    if event.exit_code == 0:
        return succeeded("the command returned 0")
    message = (
        f"{event.signal or 'a signal'} ended the command"
        if event.exit_code is None
        else f"the command returned {event.exit_code}"
    )
    fault = Fault(Code.EXITED_NON_ZERO, message)
    why = Cause.EXIT_NONZERO
    return Ending(State.FAILED, why, message, (fault,), event.exit_code)


_LIMITS = {
    Phase.QUEUE: (Cause.QUEUE_TIMEOUT, "it waited for a place longer than"),
    Phase.START: (Cause.START_TIMEOUT, "it took longer to start than"),
    Phase.RUN: (Cause.TIMEOUT, "it ran longer than"),
}


def timed_out(event: TimedOut) -> Ending:
    """A limit of the job file has passed; the fault says which."""
    why, what = _LIMITS[event.phase]
    limit = f"timeout.{event.phase}"
    message = f"{what} {limit} ({format_duration(event.limit_s)})"
    fault = Fault(Code.TIME_LIMIT, message, fix=f"raise {limit} in the job file")
    return Ending(state_of(why), why, message, (fault,))
