"""What the scheduler knows: an immutable view of the cluster at one moment."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NewType

Uuid = NewType("Uuid", str)
"""Identity of a GPU: NVML's UUID, or `cpu-<node>-<index>` for a CPU device."""


class DeviceKind(StrEnum):
    """What kind of place a model can run on."""

    CUDA = "cuda"
    CPU = "cpu"
    """A share of a node's cores and RAM, where there is no GPU."""


def noun(kind: DeviceKind, count: int) -> str:
    """`GPU`, `GPUs`, `CPU device` or `CPU devices`."""
    word = "GPU" if kind == DeviceKind.CUDA else "CPU device"
    return word if count == 1 else f"{word}s"


@dataclass(frozen=True, slots=True)
class Owner:
    """A process that holds memory on a GPU and is not ours."""

    pid: int
    name: str
    user: str
    used_bytes: int


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU and what it last said of itself (its report)."""

    uuid: Uuid
    node_id: str
    node: str
    """The node's name to people."""
    index: int
    model: str
    kind: DeviceKind
    total_bytes: int
    free_bytes: int
    cores: int = 0
    """CPU cores that belong to work on this GPU: the node's, shared evenly."""
    problem: str = ""
    """Why it must not be used; empty when it is well."""
    owners: tuple[Owner, ...] = ()
    utilization: int | None = None
    """Percent; `None` if it does not say."""
    temperature: int | None = None
    """Degrees Celsius; `None` if it does not say."""
    compute: int = 0
    """CUDA compute capability in tenths, 80 for 8.0; 0 if it does not say."""
    peers: tuple[Uuid, ...] = ()
    """GPUs of its node that it reaches over NVLink."""

    @property
    def name(self) -> str:
        """`node:index`, as people write it."""
        return f"{self.node}:{self.index}"


@dataclass(frozen=True, slots=True)
class Node:
    """CPU and RAM of a machine, for the jobs that say how much they take."""

    node_id: str
    node: str
    """Its name to people."""
    cpu_milli: int
    """Thousandths of a core that jobs may have."""
    ram_bytes: int
    """RAM that jobs may have."""


@dataclass(frozen=True, slots=True)
class HostReservation:
    """CPU and RAM of one node promised to one job."""

    node_id: str
    holder: str
    cpu_milli: int
    ram_bytes: int


@dataclass(frozen=True, slots=True)
class Reservation:
    """Memory of one GPU promised to one replica, until it is seen free again."""

    gpu: Uuid
    holder: str
    """Who holds it, for people: `job 42 replica 0`, or `idle MiniLM`."""
    reserved_bytes: int
    used_bytes: int
    """What the GPU already shows of it."""
    engine: str
    """Name of the replica's actor."""
    engine_key: str
    """What is loaded: equal keys can serve the same job."""
    idle: bool = False
    """Kept alive without a job: reusable if the key fits, else evicted."""
    shared: bool = False
    """Others that share may stand beside it; no exclusive one ever does."""
    job: str = ""
    """The job it works for: no second replica of it comes to this GPU."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All GPUs and all promises at one moment."""

    gpus: tuple[Gpu, ...]
    reservations: tuple[Reservation, ...] = field(default=())
    nodes: tuple[Node, ...] = ()
    """CPU and RAM, where they are known; a node that is not here has enough."""
    hosts: tuple[HostReservation, ...] = ()

    def on(self, gpu: Uuid) -> tuple[Reservation, ...]:
        """The reservations on one GPU; `by_gpu` is the way to ask for all of them."""
        return tuple(r for r in self.reservations if r.gpu == gpu)

    def by_gpu(self) -> dict[Uuid, tuple[Reservation, ...]]:
        """The reservations of every GPU that has any."""
        found: dict[Uuid, list[Reservation]] = {}
        for reservation in self.reservations:
            found.setdefault(reservation.gpu, []).append(reservation)
        return {gpu: tuple(held) for gpu, held in found.items()}

    @property
    def kind(self) -> DeviceKind:
        """What this cluster runs models on: CPUs only where no GPU was found."""
        found = any(gpu.kind == DeviceKind.CUDA for gpu in self.gpus)
        return DeviceKind.CUDA if found else DeviceKind.CPU

    def candidates(self) -> tuple[Gpu, ...]:
        """The GPUs of that kind as people count them, by node and index.

        CPU devices never stand beside GPUs.
        """
        kind = self.kind
        found = (gpu for gpu in self.gpus if gpu.kind == kind)
        return tuple(sorted(found, key=lambda gpu: (gpu.node, gpu.index, gpu.uuid)))
