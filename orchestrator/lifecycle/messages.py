"""What may happen to a job, and what it may ask for. All of it plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from orchestrator.errors import Fault
from orchestrator.lifecycle.states import State

# --- events -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Planned:
    """The scheduler found a place for this many replicas, and it was leased."""

    replicas: int


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
class CancelRequested:
    """Somebody wants the job ended; `force`: without waiting for chunks in flight."""

    force: bool = False


@dataclass(frozen=True, slots=True)
class ControllerRestarted:
    """The controller came back and did not find the job's processes alive."""


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
    | CancelRequested
    | ControllerRestarted
)

# --- instructions -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FindPlace:
    """Ask the scheduler, lease what it says; answer Planned, NoPlace, LeaseRefused."""

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
class Finish:
    """Record the outcome; keep or release the replicas; wake who waits."""

    state: State
    faults: tuple[Fault, ...]
    cause: str


Instruction: TypeAlias = (
    FindPlace
    | StartReplica
    | DropReplica
    | StartRunner
    | OfferReplica
    | StopRunner
    | Finish
)
