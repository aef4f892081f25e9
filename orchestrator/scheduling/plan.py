"""What the scheduler answers: a plan, or a diagnosis that says why there is none."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from orchestrator.estimate.model import Shape, shape_from_json
from orchestrator.scheduling.layout import (
    Alternative,
    Cure,
    Layout,
    Mode,
    Objective,
    Pieces,
    Variant,
    alternative_from_json,
    layout_from_json,
    pieces_from_json,
    variant_from_json,
)
from orchestrator.scheduling.snapshot import DeviceKind, Gpu, Owner, Uuid


@dataclass(frozen=True, slots=True)
class Demand:
    """What one replica asks of a GPU, and how many replicas the job may have."""

    engine_key: str
    weights_bytes: int
    activation_bytes: int
    context_bytes: int
    minimum: int = 1
    maximum: int | None = None
    exclude: tuple[str, ...] = ()
    measured: bool = False
    """The bytes come from an earlier run, not from the model's config."""
    whole: bool = False
    """The need is not known: the bytes are a floor, a GPU is given whole."""
    gang: int = 1
    """GPUs of one node that a replica takes together; 0: only CPU and RAM."""
    share: bool = False
    """Others that share too may stand beside it on a GPU."""
    cpu_milli: int = 0
    """Thousandths of a core that a replica takes of its node."""
    ram_bytes: int = 0
    """RAM that a replica takes of its node."""
    gpu_type: tuple[str, ...] = ()
    """Names of GPU models, any of them, and conditions such as `cc>=8.0`."""
    job: str = ""
    """Two replicas of one job never stand on one GPU; empty: nobody asks."""
    pieces: Pieces | None = None
    """How the model can be cut; `None`: it cannot."""
    objective: Objective = Objective.THROUGHPUT
    mode: Mode | None = None
    """`None`: the planner decides."""
    replicas: int | None = None
    """Exactly as many; `None`: the planner decides."""
    shards: int | None = None
    """Exactly as many GPUs for each replica; `None`: the planner decides."""
    variants: tuple[Variant, ...] = ()
    """What the user could take instead, if this does not fit."""
    parts: tuple[tuple[str, int], ...] = ()
    """What makes up the bytes, by name; empty: it is not known."""
    shape: Shape | None = None
    """The largest batch that they are for; `None`: it is not known."""

    @property
    def reserve_bytes(self) -> int:
        """What is set aside on each GPU."""
        return self.weights_bytes + self.activation_bytes + self.context_bytes


@dataclass(frozen=True, slots=True)
class Placement:
    """One replica on one GPU."""

    replica: int
    gpu: Gpu
    reserve_bytes: int
    available_bytes: int
    warm: str = ""
    """Name of the loaded engine it takes over; empty: it is loaded anew."""
    evict: tuple[str, ...] = ()
    """Idle engines that must go first."""
    reclaimed_bytes: int = 0
    """What the warm engine and the evicted ones hold: it counts as free."""
    shard: int = 0
    """Its number among the GPUs of the replica."""
    weights_bytes: int | None = None
    """What it has of the model; `None`: all of it."""
    layers: tuple[int, int] | None = None
    """The layers of a pipeline's stage: the first, and the one after the last."""

    @property
    def free_bytes(self) -> int:
        """Free memory as the replica finds it."""
        return self.gpu.free_bytes + self.reclaimed_bytes


@dataclass(frozen=True, slots=True)
class HostUse:
    """CPU and RAM that one replica takes of one node."""

    replica: int
    node_id: str
    node: str
    cpu_milli: int
    ram_bytes: int


@dataclass(frozen=True, slots=True)
class Plan:
    """Where every replica goes, and why so."""

    demand: Demand
    placements: tuple[Placement, ...]
    reason: str
    hosts: tuple[HostUse, ...] = ()
    """By replica; empty if the job does not say what it takes of a node."""
    layout: Layout | None = None
    """`None`: replicas of one GPU each were the only question."""
    alternatives: tuple[Alternative, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The plan as JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Plan:
        """The inverse of `to_json`."""
        return cls(
            demand=_demand(data["demand"]),
            placements=tuple(_placement(p) for p in data["placements"]),
            reason=data["reason"],
            hosts=tuple(HostUse(**host) for host in data.get("hosts", ())),
            layout=layout_from_json(data.get("layout")),
            alternatives=tuple(
                map(alternative_from_json, data.get("alternatives", ()))
            ),
        )


class Reason(StrEnum):
    """Why a GPU cannot take a replica now."""

    EXCLUDED = "excluded"
    WRONG_TYPE = "wrong_type"
    """Not one of the types that the job asks for."""
    UNHEALTHY = "unhealthy"
    TOO_SMALL = "too_small"
    """It could not hold the replica even when empty."""
    BUSY = "busy"
    """Other jobs of ours hold it."""
    FOREIGN_USE = "foreign_use"
    """Programs that are not ours hold the memory."""
    NODE_TOO_SMALL = "node_too_small"
    """Its node has too little CPU or RAM, or too few such GPUs, even when idle."""
    NODE_BUSY = "node_busy"
    """Its node has too little CPU or RAM left, or too few such GPUs free."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why one GPU cannot take a replica now."""

    gpu: Gpu
    reason: Reason
    needed_bytes: int
    available_bytes: int
    detail: str
    """One clause for people, with the numbers and who holds what."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Why there is no plan: for every GPU its refusal."""

    demand: Demand
    refusals: tuple[Refusal, ...]
    ever: bool
    """It would fit on the idle cluster: waiting helps."""
    summary: str
    able: int = 0
    """How many GPUs could take a replica now: fewer than the demand's minimum."""
    cures: tuple[Cure, ...] = ()
    """What would make it fit, if it never does."""

    def to_json(self) -> dict[str, Any]:
        """The diagnosis as JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Diagnosis:
        """The inverse of `to_json`."""
        return cls(
            demand=_demand(data["demand"]),
            refusals=tuple(_refusal(r) for r in data["refusals"]),
            ever=data["ever"],
            summary=data["summary"],
            able=data["able"],
            cures=tuple(Cure(**cure) for cure in data.get("cures", ())),
        )


def gpu_from_json(data: dict[str, Any]) -> Gpu:
    """A GPU from the JSON that `dataclasses.asdict` makes of it."""
    typed = {
        "uuid": Uuid(data["uuid"]),
        "kind": DeviceKind(data["kind"]),
        "owners": tuple(Owner(**owner) for owner in data["owners"]),
        "peers": tuple(Uuid(peer) for peer in data.get("peers", ())),
    }
    return Gpu(**{**data, **typed})


def _demand(data: dict[str, Any]) -> Demand:
    typed: dict[str, Any] = {
        name: tuple(data.get(name, ())) for name in ("exclude", "gpu_type")
    }
    typed["pieces"] = pieces_from_json(data.get("pieces"))
    typed["objective"] = Objective(data.get("objective", Objective.THROUGHPUT))
    typed["mode"] = Mode(data["mode"]) if data.get("mode") else None
    typed["variants"] = tuple(
        variant_from_json(variant) for variant in data.get("variants", ())
    )
    typed["parts"] = tuple((str(name), n) for name, n in data.get("parts", ()))
    typed["shape"] = shape_from_json(data.get("shape"))
    return Demand(**{**data, **typed})


def _placement(data: dict[str, Any]) -> Placement:
    layers = data.get("layers")
    typed = {
        "gpu": gpu_from_json(data["gpu"]),
        "evict": tuple(data["evict"]),
        "layers": None if layers is None else (layers[0], layers[1]),
    }
    return Placement(**{**data, **typed})


def _refusal(data: dict[str, Any]) -> Refusal:
    gpu, reason = gpu_from_json(data["gpu"]), Reason(data["reason"])
    return Refusal(**{**data, "gpu": gpu, "reason": reason})
