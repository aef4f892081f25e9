"""Which spots the replicas of a job take: all of them at once, or none."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from orchestrator.scheduling.board import Board, Cell, Spot
from orchestrator.scheduling.places import Places, mixed
from orchestrator.scheduling.plan import Placement
from orchestrator.scheduling.request import Request


def spread_out(
    board: Board,
    places: Places,
    request: Request,
    offers: Mapping[Cell, Placement],
) -> list[Spot]:
    """Every GPU that can take a replica of one GPU, the best first.

    A loaded engine comes before everything, then the fewest evictions, then the score;
    ties go by node and index. The CPU and RAM of a node are given out in this order.

    Args:
        board: The cluster.
        places: Of that board.
        request: What a replica asks for, of one GPU.
        offers: How the GPUs with idle engines would take one.
    """
    _, scores = places.look(request)
    rows, columns = np.nonzero(scores > -np.inf)
    cold = np.ones(len(rows), np.int64)
    evictions = np.zeros(len(rows), np.int64)
    if offers:
        for at, cell in enumerate(zip(rows.tolist(), columns.tolist(), strict=True)):
            offer = offers.get(cell)
            if offer is not None:
                cold[at], evictions[at] = not offer.warm, len(offer.evict)
    order = np.lexsort((columns, rows, -scores[rows, columns], evictions, cold))
    spots = [Spot(int(rows[at]), (int(columns[at]),)) for at in order]
    return _with_hosts(board, request, spots)


def one_by_one(
    board: Board, places: Places, request: Request, most: int, key: int | None
) -> list[Spot]:
    """The best spot, then the best that is left, until there is none or enough.

    Args:
        board: The cluster; it is advanced by every spot.
        places: Of that board.
        request: What a replica asks for.
        most: How many spots are wanted.
        key: Decides between equals.
    """
    spots: list[Spot] = []
    while len(spots) < most:
        spot = places.best(request, key)
        if spot is None:
            break
        board.take(spot, request)
        spots.append(spot)
        key = None if key is None else mixed(key)
    return spots


def _with_hosts(board: Board, request: Request, spots: list[Spot]) -> list[Spot]:
    """Those whose node still has CPU and RAM once the ones before them have theirs."""
    if not (request.cpu_milli or request.ram_bytes):
        return spots
    kept: list[Spot] = []
    taken: dict[int, int] = {}
    for spot in spots:
        count = taken.get(spot.row, 0) + 1
        enough = board.cpu[spot.row] >= count * request.cpu_milli
        if enough and board.ram[spot.row] >= count * request.ram_bytes:
            taken[spot.row] = count
            kept.append(spot)
    return kept
