"""How much of a node's free GPU memory the jobs that usually come could use."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from orchestrator.scheduling.board import LEVELS, NOTHING, Board, GpuClass, Ints
from orchestrator.scheduling.gpu_type import matches
from orchestrator.scheduling.mix import Typical

Floats = NDArray[np.float64]
_SLOTS = NOTHING + 1
"""A level of a GPU that has jobs, a level of one that has none, and nothing."""


class Usefulness:
    """For every state of a node, how much of its GPU memory a typical job could use.

    Unit: thousandths of a GPU of average size. `F = left - usable` is the fragmentation
    of "Beware of Fragmentation" (Weng et al., USENIX ATC 2023, section 4): a GPU's free
    memory is usable to a job that fits on that GPU, if the node has the CPU and as many
    such GPUs as the job needs. A job's whole set of typical requests is folded into a
    table by CPU, kind and level of the GPU, so that a node costs a look-up per GPU.
    """

    def __init__(self, mix: tuple[Typical, ...], board: Board) -> None:
        """Fold a mix into tables for the GPUs of a board."""
        asked = sorted({one.request.cpu_milli for one in mix})
        self._cpus: Ints = np.array(asked, np.int64)
        self._gang_most = max((one.request.gang for one in mix), default=0)
        classes, levels = board.classes, len(asked) + 1
        table: Floats = np.zeros((max(1, len(classes)), levels, _SLOTS))
        gangs: Floats = np.zeros((max(1, len(classes)), levels, self._gang_most + 1))
        for one in mix:
            floor = int(np.searchsorted(self._cpus, one.request.cpu_milli)) + 1
            for kind, gpu in enumerate(classes):
                _add(table[kind, floor:], gangs[kind, floor:], one, gpu)
        sizes = np.array([gpu.total_bytes for gpu in classes] or [1], np.float64)
        amounts = np.concatenate([np.arange(LEVELS + 1)] * 2 + [np.zeros(1)])
        weights = (sizes / sizes.mean())[:, None, None]
        self.unit = LEVELS / float(sizes.mean())
        """Thousandths of a GPU of average size in a byte."""
        self._table: Floats = (table * amounts * weights).ravel()
        self._gangs: Floats = gangs.ravel()
        self._at: Ints = board.kind * (levels * _SLOTS)
        self._gang_at: Ints = board.kind[:, 0] * (levels * (self._gang_most + 1))

    def host_level(self, cpu_milli: Ints) -> Ints:
        """How many steps of CPU, of those that typical jobs ask for, are there."""
        found: Ints = self._cpus.searchsorted(cpu_milli, side="right")
        return found

    def at(self, rows: Ints, host: Ints) -> Ints:
        """Where the slots of the GPUs of these rows begin, on hosts of these levels."""
        begin: Ints = self._at[rows] + (host * _SLOTS)[:, None]
        return begin

    def of_gpus(self, at: Ints, slot: Ints) -> Floats:
        """What jobs of one GPU could use of each GPU."""
        usable: Floats = self._table.take(at + slot)
        return usable

    def for_gangs(self, rows: Ints, host: Ints, empty: Ints, left: Ints) -> Floats:
        """What jobs of several GPUs could use of each row.

        Args:
            rows: The rows.
            host: `host_level` of each.
            empty: How many of its GPUs have no job.
            left: How many bytes those can promise.
        """
        if self._gang_most < 2:
            return np.zeros(len(rows))
        most = self._gang_most
        at = self._gang_at[rows] + host * (most + 1) + np.minimum(empty, most)
        usable: Floats = self._gangs.take(at) * left * self.unit
        return usable


def _add(table: Floats, gangs: Floats, one: Typical, gpu: GpuClass) -> None:
    request = one.request
    if request.gang == 0 or not matches(request.gpu_type, gpu.model, gpu.compute):
        return
    level = -(-request.gpu_bytes * LEVELS // gpu.total_bytes)
    if level > LEVELS:
        return
    if request.gang > 1:
        gangs[:, request.gang :] += one.share
        return
    if request.share:
        table[:, level : LEVELS + 1] += one.share
    table[:, LEVELS + 1 + level : -1] += one.share
