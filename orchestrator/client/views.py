"""What the controller shows of itself: jobs, progress, GPUs."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

from orchestrator.errors import (
    EXIT_CANCELLED,
    EXIT_JOB_FAILED,
    EXIT_NOT_FINISHED,
    EXIT_OK,
    Fault,
)
from orchestrator.lifecycle.states import ReplicaState, State
from orchestrator.scheduling.plan import Diagnosis, Plan, gpu_from_json
from orchestrator.scheduling.snapshot import Gpu, Reservation, Uuid


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is.

    Attributes:
        phase: `queued`, `loading`, `running`, `merging` or `done`.
        rows_total: Rows of the input; `None` until it is known.
        rows_done: Rows that are through, failed and reused ones included.
        rows_failed: Of these, the ones in failed.jsonl.
        rows_reused: Of these, the ones an earlier run had finished.
        rows_per_second: The present rate.
        eta_seconds: Time that is left; `None` if it cannot be told.
        first_result_seconds: From start to the first result; `None` before it.
    """

    phase: str = "queued"
    rows_total: int | None = None
    rows_done: int = 0
    rows_failed: int = 0
    rows_reused: int = 0
    rows_per_second: float = 0.0
    eta_seconds: float | None = None
    first_result_seconds: float | None = None

    @property
    def rows_ok(self) -> int:
        """Rows that have a result."""
        return self.rows_done - self.rows_failed

    @property
    def rows_left(self) -> int | None:
        """Rows that are not through; `None` while the total is not known."""
        return None if self.rows_total is None else self.rows_total - self.rows_done


@dataclass(frozen=True, slots=True)
class ReplicaView:
    """One replica of a job.

    Attributes:
        replica: Its number.
        gpu: `node:index`.
        state: Where it stands.
        warm: It took over an engine that was loaded already.
        detail: One clause for people, or empty.
    """

    replica: int
    gpu: str
    state: ReplicaState
    warm: bool = False
    detail: str = ""


@dataclass(frozen=True, slots=True)
class JobView:
    """A job as the controller shows it. `document` is the JSON it came as."""

    id: int
    name: str
    kind: str
    state: State
    version: int
    model: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    plan: Plan | None
    diagnosis: Diagnosis | None
    progress: Progress
    replicas: tuple[ReplicaView, ...]
    output: str
    results: str | None
    faults: tuple[Fault, ...]
    notices: tuple[str, ...]
    document: dict[str, Any] = field(repr=False, compare=False)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> JobView:
        """A job from the controller's JSON; keys it does not know are left out."""
        return cls(
            id=data["id"],
            name=data["name"],
            kind=data["kind"],
            state=State(data["state"]),
            version=data["version"],
            model=data["model"],
            created_at=datetime.fromisoformat(data["created_at"]),
            started_at=_instant(data["started_at"]),
            finished_at=_instant(data["finished_at"]),
            plan=None if data["plan"] is None else Plan.from_json(data["plan"]),
            diagnosis=_diagnosis(data["diagnosis"]),
            progress=Progress(**_known(Progress, data["progress"])),
            replicas=tuple(
                _replica(_known(ReplicaView, replica)) for replica in data["replicas"]
            ),
            output=data["output"],
            results=data["results"],
            faults=tuple(Fault.from_json(fault) for fault in data["faults"]),
            notices=tuple(data["notices"]),
            document=data,
        )

    @property
    def exit_code(self) -> int:
        """What a command that waited for this job exits with."""
        match self.state:
            case State.SUCCEEDED:
                return EXIT_OK
            case State.CANCELLED:
                return EXIT_CANCELLED
            case State.FAILED:
                return self.faults[0].exit_code if self.faults else EXIT_JOB_FAILED
            case _:
                return EXIT_NOT_FINISHED

    @property
    def seconds(self) -> float:
        """From submission to the end; zero while it is not finished."""
        if self.finished_at is None:
            return 0.0
        return (self.finished_at - self.created_at).total_seconds()


@dataclass(frozen=True, slots=True)
class GpusView:
    """The GPUs and what is promised on them. `document` is the JSON it came as."""

    gpus: tuple[Gpu, ...]
    reservations: tuple[Reservation, ...]
    keeps_seconds: dict[str, float]
    """By engine name: how long an idle engine stays, where the controller says so."""
    document: dict[str, Any] = field(repr=False, compare=False)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> GpusView:
        """GPUs and reservations from the controller's JSON."""
        promised = data["reservations"]
        return cls(
            gpus=tuple(gpu_from_json(_known(Gpu, gpu)) for gpu in data["gpus"]),
            reservations=tuple(_reservation(item) for item in promised),
            keeps_seconds={
                item["engine"]: item["keeps_seconds"]
                for item in promised
                if item.get("keeps_seconds") is not None
            },
            document=data,
        )


@dataclass(frozen=True, slots=True)
class Health:
    """Who the controller is. `document` is the JSON it came as."""

    version: str
    pid: int
    ray_address: str
    dashboard: str
    nodes: tuple[str, ...]
    document: dict[str, Any] = field(repr=False, compare=False)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Health:
        """The controller's answer to /v1/health."""
        return cls(
            version=data["version"],
            pid=data["pid"],
            ray_address=data["ray_address"],
            dashboard=data["dashboard"],
            nodes=tuple(str(node) for node in data["nodes"]),
            document=data,
        )


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _diagnosis(data: dict[str, Any] | None) -> Diagnosis | None:
    return None if data is None else Diagnosis.from_json(data)


def _replica(data: dict[str, Any]) -> ReplicaView:
    return ReplicaView(**{**data, "state": ReplicaState(data["state"])})


def _reservation(data: dict[str, Any]) -> Reservation:
    known = _known(Reservation, data)
    return Reservation(**{**known, "gpu": Uuid(known["gpu"])})


def _known(cls: type[Any], data: dict[str, Any]) -> dict[str, Any]:
    """Only the keys this version has: a newer controller may send more."""
    names = {field.name for field in fields(cls)}
    return {key: value for key, value in data.items() if key in names}
