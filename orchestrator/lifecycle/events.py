"""What may happen to a job. All of it plain data."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from orchestrator.errors import Fault
from orchestrator.lifecycle.key import JobKey
from orchestrator.lifecycle.states import State


class Phase(StrEnum):
    """What a time limit of the job file is about."""

    QUEUE = "queue"
    START = "start"
    RUN = "run"


class RetryMode(StrEnum):
    """What a retry that somebody asks for does with what is there already."""

    RESUME = "resume"
    """Finished rows stay."""
    FAILED = "failed"
    """Only failed rows run again."""
    SCRATCH = "scratch"
    """Everything runs again."""


@dataclass(frozen=True, slots=True)
class Planned:
    """The queue found a place, and it is held: leases, or a share of a node."""

    replicas: int = 0
    """How many replicas it is for; none for a command."""
    where: str = ""
    """The place, for people."""


@dataclass(frozen=True, slots=True)
class NoPlace:
    """The scheduler found no place now; the diagnosis is kept with the job."""

    summary: str


@dataclass(frozen=True, slots=True)
class GaveUp:
    """The queue cannot even look for a place: the job's own files are not right."""

    fault: Fault


@dataclass(frozen=True, slots=True)
class LeaseRefused:
    """A GPU of the plan was not to be had; nothing is held."""

    reason: str


@dataclass(frozen=True, slots=True)
class ReplicaReady:
    """A replica's model stands on its GPU."""

    replica: int


@dataclass(frozen=True, slots=True)
class ReplicaFailed:
    """A replica could not load."""

    replica: int
    fault: Fault
    everywhere: bool
    """The cause is the job's (E103): no other GPU would do better."""


@dataclass(frozen=True, slots=True)
class ReplicaLost:
    """A replica that was ready died."""

    replica: int
    fault: Fault
    gone: bool = False
    """Its node or its GPU is gone: starting it again there is no use."""


@dataclass(frozen=True, slots=True)
class RunnerEnded:
    """The runner has dealt with every row, or was stopped, or gave up."""

    faults: tuple[Fault, ...] = ()
    stopped: bool = False


@dataclass(frozen=True, slots=True)
class RunnerLost:
    """The runner's process died; what it wrote is on disk."""

    fault: Fault


@dataclass(frozen=True, slots=True)
class CommandStarted:
    """The command runs on its node, or was found running there."""

    attempt: int
    pid: int


@dataclass(frozen=True, slots=True)
class CommandEnded:
    """The command's process is over, and so is whatever it left behind."""

    attempt: int
    exit_code: int | None
    """What it returned; `None` if a signal ended it."""
    signal: str | None = None
    """`SIGKILL`, say, if a signal ended it."""


@dataclass(frozen=True, slots=True)
class CommandLost:
    """The command is gone without an end, or could not be started at all."""

    attempt: int
    fault: Fault
    """E501 or E502: its node or its agent; E2xx: its files; its code decides."""


@dataclass(frozen=True, slots=True)
class TimedOut:
    """A time limit of the job file has passed."""

    attempt: int
    phase: Phase
    limit_s: float


@dataclass(frozen=True, slots=True)
class GraceOver:
    """What was asked to stop has had its time (`ArmGrace`)."""

    attempt: int


@dataclass(frozen=True, slots=True)
class RetryDue:
    """The wait before this attempt is over (`RetryLater`)."""

    attempt: int


@dataclass(frozen=True, slots=True)
class RetryRequested:
    """Somebody wants a job that is over to have another attempt."""

    mode: RetryMode = RetryMode.RESUME


@dataclass(frozen=True, slots=True)
class DependencyFailed:
    """A job that this one was to come after did not end as it asked."""

    job: JobKey
    state: State


@dataclass(frozen=True, slots=True)
class CancelRequested:
    """Somebody wants the job ended; `force`: without waiting for what is in flight."""

    force: bool = False
    grace_s: float | None = None
    """Seconds between asking it to stop and ending it; `None`: the job file's."""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ControllerRestarted:
    """The controller came back and did not find the job's processes alive.

    For a command: and does not know whether they are.
    """


BatchEvent: TypeAlias = (
    ReplicaReady | ReplicaFailed | ReplicaLost | RunnerEnded | RunnerLost
)
CommandEvent: TypeAlias = CommandStarted | CommandEnded | CommandLost
Event: TypeAlias = (
    Planned
    | NoPlace
    | GaveUp
    | LeaseRefused
    | ReplicaReady
    | ReplicaFailed
    | ReplicaLost
    | RunnerEnded
    | RunnerLost
    | CommandStarted
    | CommandEnded
    | CommandLost
    | TimedOut
    | GraceOver
    | RetryDue
    | RetryRequested
    | DependencyFailed
    | CancelRequested
    | ControllerRestarted
)
