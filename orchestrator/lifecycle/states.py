"""The states of a job and of its replicas."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """Where a job stands. The last three are final."""

    PENDING = "PENDING"
    """Accepted; waits for GPUs, and its diagnosis says for which."""
    LOADING = "LOADING"
    """GPUs are leased; models are loading."""
    RUNNING = "RUNNING"
    """At least one replica works on rows."""
    STOPPING = "STOPPING"
    """Cancelled, or failed beyond repair; what is in flight comes to rest."""
    SUCCEEDED = "SUCCEEDED"
    """Every row was dealt with, and no more failed than allowed."""
    FAILED = "FAILED"
    """It ended without; the faults say why."""
    CANCELLED = "CANCELLED"
    """Somebody asked for it. Finished rows are kept."""

    @property
    def final(self) -> bool:
        """Whether nothing can follow."""
        return self in (State.SUCCEEDED, State.FAILED, State.CANCELLED)


class ReplicaState(StrEnum):
    """Where a replica of a job stands."""

    LOADING = "loading"
    READY = "ready"
    LOST = "lost"
    """It died and will not be started again for this job."""
    STOPPED = "stopped"
    """Its work is done: kept alive for the next job, or gone."""
