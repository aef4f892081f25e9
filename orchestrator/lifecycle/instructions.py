"""What a job may ask for. Plain data; each says what answers it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from orchestrator.errors import Fault
from orchestrator.lifecycle.causes import Cause
from orchestrator.lifecycle.states import State


@dataclass(frozen=True, slots=True)
class FindPlace:
    """Queue it for a place; answer Planned, NoPlace, LeaseRefused."""

    cause: str


@dataclass(frozen=True, slots=True)
class StartReplica:
    """Load the model in this replica's lease; answer ReplicaReady or ReplicaFailed."""

    replica: int
    cause: str


@dataclass(frozen=True, slots=True)
class DropReplica:
    """Let this replica and its lease go."""

    replica: int
    cause: str


@dataclass(frozen=True, slots=True)
class StartRunner:
    """Start the runner with these replicas; it resumes from the parts on disk."""

    replicas: tuple[int, ...]
    cause: str


@dataclass(frozen=True, slots=True)
class OfferReplica:
    """Tell the runner of one more replica."""

    replica: int
    cause: str


@dataclass(frozen=True, slots=True)
class StopRunner:
    """Let the runner come to rest; answered by RunnerEnded or RunnerLost."""

    force: bool
    cause: str


@dataclass(frozen=True, slots=True)
class StartCommand:
    """Start this attempt's command, unless its node knows it already.

    Answered by CommandStarted, CommandEnded or CommandLost.
    """

    attempt: int
    cause: str


@dataclass(frozen=True, slots=True)
class StopCommand:
    """Send SIGTERM, or with `force` SIGKILL; answered by CommandEnded, CommandLost."""

    attempt: int
    force: bool
    cause: str


@dataclass(frozen=True, slots=True)
class ArmGrace:
    """Answer GraceOver after so many seconds, if the attempt still stops then."""

    attempt: int
    seconds: float
    cause: str


@dataclass(frozen=True, slots=True)
class RetryLater:
    """Record how the attempt ended; answer RetryDue after so many seconds."""

    attempt: int
    """The one that comes."""
    delay_s: float
    state: State
    """What the job would be now if no attempt were left."""
    faults: tuple[Fault, ...]
    cause: str
    why: Cause


@dataclass(frozen=True, slots=True)
class Finish:
    """Record the outcome; keep or release the replicas; wake who waits."""

    state: State
    faults: tuple[Fault, ...]
    cause: str
    why: Cause | None = None
    """`cause` in one word; `None` if the job succeeded."""


Instruction: TypeAlias = (
    FindPlace
    | StartReplica
    | DropReplica
    | StartRunner
    | OfferReplica
    | StopRunner
    | StartCommand
    | StopCommand
    | ArmGrace
    | RetryLater
    | Finish
)
