"""The states of a job and of its replicas."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """Where a job stands. The last six are final."""

    PENDING = "PENDING"
    """Accepted; waits for a place, or for its next attempt, and says for what."""
    LOADING = "LOADING"
    """It has its place; models are loading, or its command is being started."""
    RUNNING = "RUNNING"
    """At least one replica works on rows, or its command runs."""
    STOPPING = "STOPPING"
    """Cancelled, over a limit, or failed beyond repair; what runs comes to rest."""
    SUCCEEDED = "SUCCEEDED"
    """Every row was dealt with and few enough failed, or its command returned 0."""
    FAILED = "FAILED"
    """It ended without; the faults say why."""
    CANCELLED = "CANCELLED"
    """Somebody asked for it. Finished rows are kept."""
    TIMEOUT = "TIMEOUT"
    """It waited in the queue, or ran, longer than its job file allows."""
    LOST = "LOST"
    """Its node or its processes went away under it, and no attempt was left."""
    SKIPPED = "SKIPPED"
    """It never ran: a job that it was to come after did not end as it asked."""

    @property
    def final(self) -> bool:
        """Whether nothing can follow but a retry that somebody asks for."""
        return self in _FINAL


_FINAL = frozenset(
    {
        State.SUCCEEDED,
        State.FAILED,
        State.CANCELLED,
        State.TIMEOUT,
        State.LOST,
        State.SKIPPED,
    }
)


class ReplicaState(StrEnum):
    """Where a replica of a job stands."""

    LOADING = "loading"
    READY = "ready"
    LOST = "lost"
    """It died and will not be started again for this attempt."""
    STOPPED = "stopped"
    """Its work is done: kept alive for the next job, or gone."""
