"""Which rows of a board have room for a request: the filters, for all nodes at once.

`filters.py` asks the same questions of one GPU, in words.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from orchestrator.scheduling.board import Board, Cell, GpuClass, Ints
from orchestrator.scheduling.gpu_type import matches
from orchestrator.scheduling.request import Request

Mask = NDArray[np.bool_]


def fitting(board: Board, rows: Ints, request: Request) -> Mask:
    """Which GPUs of these rows, and of nodes with enough CPU and RAM, can be used.

    Returns:
        Shape (rows, columns); (rows, 1) for a request without GPUs. All false in a row
        that cannot take the request, also for want of other GPUs beside one that fits.
    """
    host = (board.cpu[rows] >= request.cpu_milli) & (
        board.ram[rows] >= request.ram_bytes
    )
    if request.gang == 0:
        return host[:, None]
    room = board.room if request.share else board.whole
    gpus = room[rows] >= request.gpu_bytes
    if request.gpu_type:
        gpus &= _of_type(board.classes, request.gpu_type)[board.kind[rows]]
    _leave_out(board, rows, request, gpus)
    if request.gang > 1:
        host &= gpus.sum(axis=1) >= request.gang
    gpus &= host[:, None]
    return gpus


@lru_cache(maxsize=256)
def _of_type(classes: tuple[GpuClass, ...], wanted: tuple[str, ...]) -> Mask:
    return np.array([matches(wanted, kind.model, kind.compute) for kind in classes])


def _leave_out(board: Board, rows: Ints, request: Request, gpus: Mask) -> None:
    """Strike out GPUs that the job excludes, or that have a replica of it."""
    struck = list(board.jobs.get(request.job, ())) if request.job else []
    struck += _named(board, request.exclude) if request.exclude else []
    if not struck:
        return
    position = {int(row): index for index, row in enumerate(rows)}
    for row, column in struck:
        if row in position:
            gpus[position[row], column] = False


def _named(board: Board, names: tuple[str, ...]) -> list[Cell]:
    wanted = set(names)
    return [
        (row, column)
        for row, gpus in enumerate(board.gpus)
        for column, gpu in enumerate(gpus)
        if gpu.name in wanted or gpu.uuid in wanted
    ]
