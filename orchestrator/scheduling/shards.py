"""Which GPUs can hold one replica together: NVLink peers, one node, then any."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from orchestrator.scheduling.board import Board, Cell, Spot
from orchestrator.scheduling.cut import Piece, stages, tensor_piece
from orchestrator.scheduling.fits import fitting
from orchestrator.scheduling.layout import Mode, Pieces
from orchestrator.scheduling.peers import peer_groups
from orchestrator.scheduling.plan import Demand
from orchestrator.scheduling.request import Request, request_of


@dataclass(frozen=True, slots=True)
class Shards:
    """One replica on several GPUs, a piece on each."""

    cells: tuple[Cell, ...]
    pieces: tuple[Piece, ...]


def replica(
    board: Board,
    demand: Demand,
    pieces: Pieces,
    mode: Mode,
    count: int,
    *,
    across: bool = False,
) -> Shards | None:
    """One replica over `count` GPUs, or `None` if they cannot be had.

    Args:
        board: The cluster.
        demand: The model whole.
        pieces: How it can be cut.
        mode: `TENSOR`: equal GPUs of one node; `PIPELINE`: any.
        count: GPUs of the replica.
        across: A pipeline may go over several nodes.
    """
    free = _free(board, demand)
    if mode is Mode.TENSOR:
        return _tensor(board, free, tensor_piece(demand, pieces, count), count)
    groups = _groups(board, free, across=across)
    return _pipeline(board, groups, demand, pieces, count)


def take(board: Board, demand: Demand, shards: Shards) -> None:
    """Promise the GPUs of a replica; its CPU and RAM are of each of its nodes."""
    whole = request_of(demand)
    seen: set[int] = set()
    for (row, column), piece in zip(shards.cells, shards.pieces, strict=True):
        once = row not in seen
        seen.add(row)
        request = Request(
            gang=1,
            gpu_bytes=piece.reserve_bytes,
            share=whole.share,
            cpu_milli=whole.cpu_milli if once else 0,
            ram_bytes=whole.ram_bytes if once else 0,
            job=whole.job,
        )
        board.take(Spot(row, (column,)), request)


def _free(board: Board, demand: Demand) -> list[list[Cell]]:
    """By node, the GPUs that could take a piece of some size."""
    request = request_of(demand, gpu_bytes=0)
    usable = fitting(board, np.arange(len(board.nodes)), request)
    return [
        [(row, int(c)) for c in np.flatnonzero(found)]
        for row, found in enumerate(usable)
    ]


def _tensor(
    board: Board, free: Sequence[Sequence[Cell]], piece: Piece, count: int
) -> Shards | None:
    """Equal GPUs with room: peers first, then those of the fewest, by name."""
    best: tuple[tuple[int, int], list[Cell]] | None = None
    for cells in free:
        for equal in _equal(board, cells, piece.reserve_bytes):
            if len(equal) < count:
                continue
            peers = next(
                (p for p in peer_groups(board, equal) if len(p) >= count), None
            )
            rank = (0 if peers else 1, len(equal))
            if best is None or rank < best[0]:
                best = (rank, (peers or equal)[:count])
    if best is None:
        return None
    return Shards(tuple(best[1]), (piece,) * count)


def _equal(board: Board, cells: Sequence[Cell], room: int) -> list[list[Cell]]:
    kinds: dict[int, list[Cell]] = {}
    for cell in cells:
        if board.room[cell] >= room:
            kinds.setdefault(int(board.kind[cell]), []).append(cell)
    return list(kinds.values())


def _pipeline(
    board: Board,
    groups: Iterator[list[Cell]],
    demand: Demand,
    pieces: Pieces,
    count: int,
) -> Shards | None:
    for cells in groups:
        if len(cells) < count:
            continue
        largest = sorted(cells, key=lambda cell: (-int(board.room[cell]), cell))
        # By name, so that neighbours pass to neighbours; else the roomiest begins.
        for order in (sorted(largest[:count]), largest[:count]):
            rooms = [int(board.room[cell]) for cell in order]
            cut = stages(demand, pieces, rooms)
            if cut is not None:
                return Shards(tuple(order), cut)
    return None


def _groups(
    board: Board, free: Sequence[Sequence[Cell]], *, across: bool
) -> Iterator[list[Cell]]:
    if across:
        yield [cell for cells in free for cell in cells]
        return
    for cells in free:
        yield from peer_groups(board, cells)
    yield from map(list, free)
