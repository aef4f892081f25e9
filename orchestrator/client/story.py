"""A job's story and the use of the cluster, as the controller tells them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from orchestrator.client.known import instant


@dataclass(frozen=True, slots=True)
class StoryEvent:
    """One thing that happened to a job.

    Attributes:
        at: When.
        event: What, as a word.
        state: The job's state after it.
        cause: Why, where there is a cause.
        text: A clause for people.
        does: What was decided upon it, a clause each.
        document: The JSON it came as.
    """

    at: datetime
    event: str
    state: str
    cause: str
    text: str
    does: tuple[str, ...]
    document: dict[str, Any] = field(repr=False, compare=False)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> StoryEvent:
        """An event from the controller's JSON."""
        return cls(
            at=datetime.fromisoformat(data["at"]),
            event=data["event"],
            state=data.get("state") or "",
            cause=data.get("cause") or "",
            text=data.get("text") or "",
            does=tuple(data.get("does") or ()),
            document=data,
        )


@dataclass(frozen=True, slots=True)
class Usage:
    """One GPU, or one command without, held by one job for a while.

    Attributes:
        job: The job's number.
        gpu_seconds: How long, times the GPUs.
    """

    job: int
    name: str
    kind: str
    model: str
    user: str
    gpu: str
    gpu_model: str
    started_at: datetime | None
    finished_at: datetime | None
    gpu_seconds: float

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Usage:
        """An entry of /v1/history."""
        return cls(
            job=data["id"],
            name=data["name"],
            kind=data["kind"],
            model=data.get("model") or "",
            user=data.get("user") or "",
            gpu=data.get("gpu") or "",
            gpu_model=data.get("gpu_model") or "",
            started_at=instant(data.get("started_at")),
            finished_at=instant(data.get("finished_at")),
            gpu_seconds=float(data.get("gpu_seconds") or 0.0),
        )
