"""The order of jobs that need no GPU: strict, so that none is starved.

They have a queue of their own: a job without GPUs never waits for one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic

from orchestrator.scheduling.queue import K
from orchestrator.scheduling.waiting import (
    Waits,
    busy_nodes,
    never_fits_node,
    node_need,
    order,
)


@dataclass(frozen=True, slots=True)
class CpuDemand:
    """What a job without GPUs asks of a node."""

    cpus: float
    memory_bytes: int = 0


@dataclass(frozen=True, slots=True)
class CpuWaiting(Generic[K]):
    """A job without GPUs that may start as soon as a node has room."""

    key: K
    demand: CpuDemand
    priority: int = 0
    seq: int = 0
    """Order of submission."""


@dataclass(frozen=True, slots=True)
class NodeRoom:
    """What a node has, and what of it is not promised."""

    node_id: str
    name: str
    cpus_free: float
    memory_free_bytes: int
    cpus_total: float
    memory_total_bytes: int


@dataclass(frozen=True, slots=True)
class CpuDecision(Generic[K]):
    """Which jobs start on which nodes, and why the others wait."""

    starts: tuple[tuple[K, str], ...]
    """Job and `node_id`."""
    held: Mapping[K, tuple[Waits, ...]]


@dataclass(slots=True)
class _Node:
    """A node's room in whole thousandths of a core, which add up exactly."""

    room: NodeRoom
    millis: int
    memory_bytes: int

    def fits(self, demand: CpuDemand) -> bool:
        enough = self.millis >= _millis(demand.cpus)
        return enough and self.memory_bytes >= demand.memory_bytes

    def take(self, demand: CpuDemand) -> None:
        self.millis -= _millis(demand.cpus)
        self.memory_bytes -= demand.memory_bytes

    def ever(self, demand: CpuDemand) -> bool:
        enough = _millis(self.room.cpus_total) >= _millis(demand.cpus)
        return enough and self.room.memory_total_bytes >= demand.memory_bytes

    def __str__(self) -> str:
        free = node_need(self.millis / 1000, self.memory_bytes)
        return f"{free} on {self.room.name}"


def pick_cpu(
    waiting: Sequence[CpuWaiting[K]], rooms: Sequence[NodeRoom], limit: int = 64
) -> CpuDecision[K]:
    """Start jobs in order, each on the node with the most free cores.

    The first that no node has room for now lets nobody past, but for one that no node
    could ever hold.

    Args:
        waiting: Those that may start; a window on the queue's front is enough.
        rooms: The nodes that are well.
        limit: How many may start at most.
    """
    nodes = [
        _Node(room, _millis(room.cpus_free), room.memory_free_bytes) for room in rooms
    ]
    starts: list[tuple[K, str]] = []
    held: dict[K, tuple[Waits, ...]] = {}
    head: CpuWaiting[K] | None = None
    ordered = sorted(waiting, key=lambda job: (-job.priority, job.seq))
    for position, job in enumerate(ordered, start=1):
        if len(starts) >= limit:
            break
        if rooms and not any(node.ever(job.demand) for node in nodes):
            held[job.key] = (_never(job.demand, rooms),)
        elif head is not None:
            held[job.key] = (order(position, str(head.key)),)
        elif (node := _best(nodes, job.demand)) is not None:
            node.take(job.demand)
            starts.append((job.key, node.room.node_id))
        else:
            head = job
            held[job.key] = (_busy(job.demand, nodes),)
    return CpuDecision(tuple(starts), held)


def _best(nodes: Sequence[_Node], demand: CpuDemand) -> _Node | None:
    fitting = (node for node in nodes if node.fits(demand))
    return max(fitting, key=lambda node: (node.millis, node.memory_bytes), default=None)


def _busy(demand: CpuDemand, nodes: Sequence[_Node]) -> Waits:
    shown = [str(node) for node in nodes if node.ever(demand)] or ["no node"]
    return busy_nodes(demand.cpus, demand.memory_bytes, shown)


def _never(demand: CpuDemand, rooms: Sequence[NodeRoom]) -> Waits:
    shown = [
        f"{room.name} has {node_need(room.cpus_total, room.memory_total_bytes)}"
        for room in rooms
    ]
    return never_fits_node(demand.cpus, demand.memory_bytes, shown)


def _millis(cpus: float) -> int:
    return round(cpus * 1000)
