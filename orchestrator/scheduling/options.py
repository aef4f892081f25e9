"""Replicas of shards: what a cut model could look like on this cluster."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import log2

from orchestrator.scheduling.board import Board
from orchestrator.scheduling.cut import tensor_degrees
from orchestrator.scheduling.layout import Layout, Mode, Objective, Pieces
from orchestrator.scheduling.plan import Demand
from orchestrator.scheduling.shards import Shards, replica, take

REPLICA_PERCENT = 98.5
"""Rows a second of each of several replicas; two gave 1.97 times one (8B, 2 H200)."""
TENSOR_ROWS = 1.62
"""Rows a second of tensor parallel over twice the GPUs (8B, 2 H200)."""
TENSOR_SPEED = 1.4
"""How much sooner it answers a single request."""


@dataclass(frozen=True, slots=True)
class Option:
    """A layout that is possible now, and where each replica would go."""

    layout: Layout
    replicas: tuple[Shards, ...]

    @property
    def gpus(self) -> int:
        """How many it uses."""
        return sum(len(shards.cells) for shards in self.replicas)


def layout_of(mode: Mode, replicas: int, shards: int) -> Layout:
    """A layout with what can be expected of it, by our measurements.

    A pipeline counts as one GPU: its stages take turns on a single request, and how
    well several fill it is not measured.
    """
    doublings = log2(shards) if mode is Mode.TENSOR else 0.0
    many = REPLICA_PERCENT if replicas > 1 else 100.0
    return Layout(
        mode=mode,
        replicas=replicas,
        shards=shards,
        throughput_percent=round(replicas * many * TENSOR_ROWS**doublings),
        speed_percent=round(100 * TENSOR_SPEED**doublings),
    )


def sharded(board: Board, demand: Demand, pieces: Pieces, mode: Mode) -> Option | None:
    """The best way to cut the model so, and as many replicas of it as may be.

    The fewest GPUs that hold it; for latency, tensor parallel over the most.

    Args:
        board: The cluster; it stays as it is.
        demand: The model whole; its `minimum` and `maximum` count GPUs.
        pieces: How it can be cut.
        mode: `TENSOR` or `PIPELINE`.
    """
    usable = sum(map(len, board.gpus))
    most = min(usable, demand.maximum or usable)
    for count, across in _counts(demand, pieces, mode, most):
        wanted = demand.replicas or most // count
        found = _replicas(board, demand, pieces, mode, count, wanted, across=across)
        enough = len(found) == wanted if demand.replicas else len(found) > 0
        if enough and len(found) * count >= demand.minimum:
            return Option(layout_of(mode, len(found), count), tuple(found))
    return None


def _counts(
    demand: Demand, pieces: Pieces, mode: Mode, most: int
) -> Iterator[tuple[int, bool]]:
    """GPUs of a replica, and whether they may be of several nodes, in order."""
    if mode is Mode.TENSOR:
        counts = tensor_degrees(pieces, most)
        if demand.objective is Objective.LATENCY:
            counts.reverse()
    else:
        counts = list(range(2, min(most, len(pieces.layer_bytes)) + 1))
    if demand.shards is not None:
        counts = [count for count in counts if count == demand.shards]
    yield from ((count, False) for count in counts)
    if mode is Mode.PIPELINE:
        yield from ((count, True) for count in counts)


def _replicas(
    board: Board,
    demand: Demand,
    pieces: Pieces,
    mode: Mode,
    count: int,
    wanted: int,
    *,
    across: bool,
) -> list[Shards]:
    board = board.twin()
    found: list[Shards] = []
    while len(found) < wanted:
        shards = replica(board, demand, pieces, mode, count, across=across)
        if shards is None:
            break
        take(board, demand, shards)
        found.append(shards)
    return found
