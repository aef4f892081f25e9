"""What the controller shows of the cluster and of itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from orchestrator.client.known import known
from orchestrator.scheduling.plan import gpu_from_json
from orchestrator.scheduling.snapshot import Gpu, Reservation, Uuid


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
            gpus=tuple(gpu_from_json(known(Gpu, gpu)) for gpu in data["gpus"]),
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


def _reservation(data: dict[str, Any]) -> Reservation:
    item = known(Reservation, data)
    return Reservation(**{**item, "gpu": Uuid(item["gpu"])})
