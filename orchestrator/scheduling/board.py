"""The cluster as columns: what every node and every GPU can still promise.

A board is made from a snapshot and can be advanced by what was decided on it, so that
the next decision need not look at the whole cluster again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from orchestrator.scheduling.available import available_if_evicted
from orchestrator.scheduling.policy import DEFAULT, Policy
from orchestrator.scheduling.request import Request
from orchestrator.scheduling.snapshot import Gpu, Node, Reservation, Snapshot

Ints = NDArray[np.int64]
LEVELS = 1000
"""A GPU's memory in thousandths, for scores; filters look at bytes."""
Cell: TypeAlias = tuple[int, int]
"""A GPU on a board: its row and column."""
ENOUGH = 1 << 60
"""CPU and RAM of a node that does not say what it has."""

NOTHING = 2 * (LEVELS + 1)
"""The slot of a GPU that can promise no more."""


@dataclass(frozen=True, slots=True)
class GpuClass:
    """GPUs that are worth the same to every job: `_class` gives the fields."""

    model: str
    total_bytes: int
    compute: int


@dataclass(frozen=True, slots=True)
class Standing:
    """How one GPU stands, to be laid on a board.

    Attributes:
        gpu: The GPU.
        room: Bytes it can promise if idle engines go; negative if it must not be used.
        empty: It has no job.
        jobs: Those whose next replica must not come to it.
    """

    gpu: Gpu
    room: int
    empty: bool
    jobs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Spot:
    """A place for one replica: the row of a node, and the columns of its GPUs."""

    row: int
    columns: tuple[int, ...] = ()


class Board:
    """Nodes as rows, in the order of their names; their GPUs as columns, by index.

    Attributes:
        nodes: The node of each row.
        gpus: The GPUs of each row.
        classes: The kinds of GPUs there are.
        kind: Which of them each GPU is.
        total: Bytes each GPU has.
        cpu: Thousandths of a core, by row.
        ram: Bytes, by row.
        room: Bytes each GPU can promise if idle engines go; -1 where nothing can.
        whole: The same, and -1 also where there is a job.
        slot: What each GPU is to the mix of jobs: its room in thousandths of it, with
            `LEVELS + 1` more if it has no job; `NOTHING` if nothing can come to it.
        left: Bytes that the GPUs of a row can promise together.
        empty: How many GPUs of a row have no job.
        empty_left: Bytes that those can promise.
        linked: Some GPUs reach others over NVLink.
        jobs: Where each job has replicas that no other of it may stand beside.
        changed: Rows in the order in which they were taken from.
        cpu_most: CPU of the largest node.
        gpu_most: GPU memory of the largest node.
    """

    def __init__(
        self, nodes: Sequence[Node], gpus: Sequence[Sequence[Standing]]
    ) -> None:
        """Lay out a cluster.

        Args:
            nodes: In the order of the rows.
            gpus: By row, the GPUs.
        """
        width = max(map(len, gpus), default=0) or 1
        self.nodes = tuple(nodes)
        self.gpus = tuple(tuple(cell.gpu for cell in cells) for cells in gpus)
        self.cpu: Ints = np.array([node.cpu_milli for node in nodes], np.int64)
        self.ram: Ints = np.array([node.ram_bytes for node in nodes], np.int64)
        self.room = _columns(gpus, width, lambda cell: max(-1, cell.room), -1)
        empty = _columns(gpus, width, lambda cell: int(cell.empty), 0) > 0
        self.whole: Ints = np.where(empty, self.room, -1)
        self.total = _columns(gpus, width, lambda cell: max(1, cell.gpu.total_bytes), 1)
        self.slot: Ints = _slots(self.room, self.whole, self.total)
        self.left: Ints = np.maximum(self.room, 0).sum(axis=1)
        self.empty: Ints = (self.whole >= 0).sum(axis=1)
        self.empty_left: Ints = np.maximum(self.whole, 0).sum(axis=1)
        known: dict[tuple[str, int, int], int] = {}
        self.kind = _columns(
            gpus, width, lambda cell: known.setdefault(_class(cell.gpu), len(known)), 0
        )
        self.classes = tuple(GpuClass(*each) for each in known)
        self.jobs = _jobs(gpus)
        self.linked = any(cell.gpu.peers for cells in gpus for cell in cells)
        self.changed: list[int] = []
        self.cpu_most = _most(nodes)
        self.gpu_most = max(1, int(self.total.sum(axis=1).max(initial=0)))

    def gpu(self, cell: Cell) -> Gpu:
        """The GPU there."""
        return self.gpus[cell[0]][cell[1]]

    def twin(self) -> Board:
        """A board that can be advanced while this one stays as it is."""
        twin = copy(self)
        for name in ("cpu", "ram", "room", "whole", "slot"):
            setattr(twin, name, getattr(self, name).copy())
        for name in ("left", "empty", "empty_left"):
            setattr(twin, name, getattr(self, name).copy())
        twin.jobs = {job: list(cells) for job, cells in self.jobs.items()}
        twin.changed = list(self.changed)
        return twin

    def take(self, spot: Spot, request: Request) -> None:
        """Promise a spot to a request that fits there."""
        row = spot.row
        self.cpu[row] -= request.cpu_milli
        self.ram[row] -= request.ram_bytes
        for column in spot.columns:
            room = int(self.room[row, column])
            left = room - request.gpu_bytes if request.share else -1
            if self.whole[row, column] >= 0:
                self.whole[row, column] = -1
                self.empty[row] -= 1
                self.empty_left[row] -= room
            self.left[row] -= room - max(0, left)
            self.room[row, column] = left
            level = max(0, left) * LEVELS // self.total[row, column]
            self.slot[row, column] = NOTHING if left < 0 else level
            if request.job:
                self.jobs.setdefault(request.job, []).append((row, column))
        self.changed.append(row)


def board_of(snapshot: Snapshot, policy: Policy = DEFAULT) -> Board:
    """The board of a snapshot: its GPUs, or its CPU devices where it has none."""
    held = snapshot.by_gpu()
    rows: dict[str, list[Gpu]] = {}
    for gpu in snapshot.candidates():
        rows.setdefault(gpu.node_id, []).append(gpu)
    nodes = _nodes(snapshot, rows)
    cells = [
        [_cell(gpu, held.get(gpu.uuid, ()), policy) for gpu in rows.get(n.node_id, ())]
        for n in nodes
    ]
    board = Board(nodes, cells)
    # Nodes are given with what is left of them.
    board.cpu_most = max(board.cpu_most, _most(snapshot.nodes))
    return board


def _nodes(snapshot: Snapshot, with_gpus: Mapping[str, Sequence[Gpu]]) -> list[Node]:
    """All nodes by name, each with the CPU and RAM that is not promised yet."""
    nodes = {
        node_id: Node(node_id, gpus[0].node, ENOUGH, ENOUGH)
        for node_id, gpus in with_gpus.items()
    }
    nodes.update({node.node_id: node for node in snapshot.nodes})
    for host in snapshot.hosts:
        if host.node_id in nodes:
            node = nodes[host.node_id]
            nodes[host.node_id] = replace(
                node,
                cpu_milli=node.cpu_milli - host.cpu_milli,
                ram_bytes=node.ram_bytes - host.ram_bytes,
            )
    return sorted(nodes.values(), key=lambda node: (node.node, node.node_id))


def _cell(gpu: Gpu, held: tuple[Reservation, ...], policy: Policy) -> Standing:
    if not held:
        room = -1 if gpu.problem else gpu.free_bytes - policy.headroom_bytes(gpu)
        return Standing(gpu, room, empty=not gpu.problem)
    busy = [reservation for reservation in held if not reservation.idle]
    jobs = tuple(reservation.job for reservation in busy if reservation.job)
    if gpu.problem or not all(reservation.shared for reservation in busy):
        return Standing(gpu, -1, empty=False, jobs=jobs)
    room = available_if_evicted(gpu, held, policy.headroom_bytes(gpu))
    return Standing(gpu, room, empty=not busy, jobs=jobs)


def _columns(
    gpus: Sequence[Sequence[Standing]],
    width: int,
    of: Callable[[Standing], int],
    absent: int,
) -> Ints:
    """A number for each GPU, in the shape of the board."""
    pads = [[absent] * (width - count) for count in range(width + 1)]
    rows = [[*map(of, cells), *pads[len(cells)]] for cells in gpus]
    return np.array(rows, np.int64).reshape(len(gpus), width)


def _slots(room: Ints, whole: Ints, total: Ints) -> Ints:
    level = np.minimum(np.maximum(room, 0) * LEVELS // total, LEVELS)
    level += np.where(whole >= 0, LEVELS + 1, 0)
    slot: Ints = np.where(room < 0, NOTHING, level)
    return slot


def _class(gpu: Gpu) -> tuple[str, int, int]:
    return (gpu.model, gpu.total_bytes, gpu.compute)


def _jobs(gpus: Sequence[Sequence[Standing]]) -> dict[str, list[Cell]]:
    jobs: dict[str, list[Cell]] = {}
    for row, cells in enumerate(gpus):
        for column, cell in enumerate(cells):
            for job in cell.jobs:
                jobs.setdefault(job, []).append((row, column))
    return jobs


def _most(nodes: Sequence[Node]) -> int:
    """The CPU of the largest node that says, to measure the others by."""
    known = (node.cpu_milli for node in nodes if node.cpu_milli < ENOUGH // 2)
    return max(1, *known, 1)
