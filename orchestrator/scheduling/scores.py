"""How good a place is, by the standard algorithms. Higher is better.

A score looks at rows of a board and at what is asked, and gives a number for every
way to serve the request there: a column for each GPU if it asks for one, and a single
column for a gang or for CPU alone. Where the request does not fit it means nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orchestrator.scheduling.board import Board, Ints
from orchestrator.scheduling.fits import Mask
from orchestrator.scheduling.request import Request

Floats = NDArray[np.float64]
_WITHIN = 1e-9
"""Less than any difference between nodes: it only orders the GPUs of one."""


@dataclass(frozen=True, slots=True)
class Look:
    """The rows that are scored, and the GPUs on them that the request fits on."""

    board: Board
    rows: Ints
    request: Request
    fits: Mask


def no_preference(look: Look) -> Floats:
    """Random: all places are equal, and the caller's key decides between equals."""
    return np.zeros(look.fits.shape)


def best_fit(look: Look) -> Floats:
    """Best fit: the node with the least left over, and on it the fullest GPU.

    `score = -sum(w_i * (free_i - asked_i) / most_i)` over CPU and GPU memory, `w` being
    1/2 and `most` the largest node's. Best fit is D. S. Johnson's, "Fast algorithms for
    bin packing", J. Comput. Syst. Sci. 8 (1974); with these weights it is the baseline
    of "Beware of Fragmentation" (Weng et al., USENIX ATC 2023). Schedulers know it as
    bin packing: `ScoreFitBinPack` in Nomad, `MostAllocated` in Kubernetes.
    """
    cpu, gpu = leftovers(look)
    nodes: Floats = -(cpu + gpu)[:, None] / 2
    if look.request.gang != 1:
        return nodes
    share = look.board.room[look.rows] / look.board.gpu_most
    return nodes - share * _WITHIN


def worst_fit(look: Look) -> Floats:
    """Worst fit, or spread: the GPU with the most bytes left over comes first.

    `score = available - asked`, for a gang the sum; for CPU alone, the CPU left over.
    Worst fit is D. S. Johnson's, "Fast algorithms for bin packing", J. Comput. Syst.
    Sci. 8 (1974). Schedulers know it as spread: `ScoreFitSpread` in Nomad
    (nomad/structs/funcs.go), `LeastAllocated` in Kubernetes. A job that has a GPU to
    itself packs nothing by going to a fuller one, and gains room for larger batches on
    an emptier one.
    """
    board, rows, request = look.board, look.rows, look.request
    if request.gang == 0:
        left = board.cpu[rows][:, None] - request.cpu_milli
    elif request.gang == 1:
        left = board.room[rows] - request.gpu_bytes
    else:
        room = np.where(look.fits, board.room[rows], 0)
        largest = np.sort(room, axis=1)[:, -request.gang :]
        left = largest.sum(axis=1)[:, None] - request.gang * request.gpu_bytes
    return left.astype(np.float64)


def leftovers(look: Look) -> tuple[Floats, Floats]:
    """By row, the CPU and the GPU memory left over, as shares of the largest node's."""
    board, rows, request = look.board, look.rows, look.request
    cpu = np.minimum((board.cpu[rows] - request.cpu_milli) / board.cpu_most, 1.0)
    asked = request.gang * request.gpu_bytes
    gpu = (board.left[rows] - asked) / board.gpu_most
    return cpu, gpu
