"""Fragmentation gradient descent: the place where the least memory becomes useless."""

from __future__ import annotations

import numpy as np

from orchestrator.scheduling.board import LEVELS, NOTHING, Ints
from orchestrator.scheduling.fits import Mask
from orchestrator.scheduling.scores import Floats, Look
from orchestrator.scheduling.usefulness import Usefulness


def fragmentation(look: Look, useful: Usefulness) -> Floats:
    """Fragmentation gradient descent (FGD).

    `score = F_before - F_after`, `F = left - usable` being the memory of a node, in
    thousandths of a GPU, that a random typical job could not use. From "Beware of
    Fragmentation: Scheduling GPU-Sharing Workloads with Fragmentation Gradient Descent"
    (Weng et al., USENIX ATC 2023, sections 4 and 5).
    """
    board, rows = look.board, look.rows
    later = useful.host_level(board.cpu[rows] - look.request.cpu_milli)
    if look.request.gang == 1:
        gone = _without_one(look, useful, later)
    else:
        gone = _without_gang(look, useful, later)
    host = useful.host_level(board.cpu[rows])
    before = useful.of_gpus(useful.at(rows, host), board.slot[rows]).sum(axis=1)
    before += useful.for_gangs(rows, host, board.empty[rows], board.empty_left[rows])
    gradient: Floats = gone - before[:, None]
    return gradient


def _without_one(look: Look, useful: Usefulness, host: Ints) -> Floats:
    """What is taken and what stays usable, for each GPU that the request may go to."""
    board, rows, request = look.board, look.rows, look.request
    room, at = board.room[rows], useful.at(rows, host)
    alone = useful.of_gpus(at, board.slot[rows])
    usable: Floats = alone.sum(axis=1)[:, None] - alone
    if request.share:
        left = np.maximum(room - request.gpu_bytes, 0)
        usable += useful.of_gpus(at, left * LEVELS // board.total[rows])
    taken = request.gpu_bytes if request.share else room
    usable += _gangs_beside_one(look, useful, host)
    usable += taken * useful.unit
    return usable


def _gangs_beside_one(look: Look, useful: Usefulness, host: Ints) -> Floats:
    """What gangs can still use if a GPU goes that may have been empty until now."""
    board, rows = look.board, look.rows
    empty, left = board.empty[rows], board.empty_left[rows]
    whole = board.whole[rows]
    same = useful.for_gangs(rows, host, empty, left)
    fewer = useful.for_gangs(rows, host, np.maximum(empty - 1, 0), left)
    part = 1 - whole / np.maximum(left, 1)[:, None]
    usable: Floats = np.where(whole >= 0, fewer[:, None] * part, same[:, None])
    return usable


def _without_gang(look: Look, useful: Usefulness, host: Ints) -> Floats:
    """What is taken and what stays usable if the fullest GPUs that fit are taken."""
    board, rows, request = look.board, look.rows, look.request
    gone = fullest(look)
    room, whole = board.room[rows], board.whole[rows]
    after: Ints | int = NOTHING
    if request.share:
        after = np.maximum(room - request.gpu_bytes, 0) * LEVELS // board.total[rows]
    slot = np.where(gone, after, board.slot[rows])
    usable = useful.of_gpus(useful.at(rows, host), slot).sum(axis=1)
    opened = gone & (whole >= 0)
    empty = board.empty[rows] - opened.sum(axis=1)
    left = board.empty_left[rows] - np.where(opened, whole, 0).sum(axis=1)
    usable += useful.for_gangs(rows, host, empty, left)
    taken = request.gpu_bytes if request.share else np.where(gone, room, 0)
    usable += np.where(gone, taken, 0).sum(axis=1) * useful.unit
    column: Floats = usable[:, None]
    return column


def fullest(look: Look) -> Mask:
    """Which GPUs a gang would take of each row: those with the least room that do."""
    board, rows, gang = look.board, look.rows, look.request.gang
    chosen: Mask = np.zeros((len(rows), board.room.shape[1]), np.bool_)
    if gang and len(rows):
        room = np.where(look.fits, board.room[rows], np.iinfo(np.int64).max)
        order = np.argsort(room, axis=1, kind="stable")[:, :gang]
        np.put_along_axis(chosen, order, values=True, axis=1)
    return chosen
