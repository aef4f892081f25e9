"""Puts the columns of a chunk's batches back into the order of its rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from orchestrator.engines.base import Column, Columns
from orchestrator.engines.messages import BadRow, Output


class Assembly:
    """Collects what the batches of one chunk return."""

    def __init__(self, number: int, rows: int, batches: int) -> None:
        self.splits = 0
        self._number = number
        self._rows = rows
        self._left = batches
        self._columns: Columns = {}
        self._filled = np.zeros(rows, dtype=bool)
        self._bad: list[BadRow] = []

    @property
    def complete(self) -> bool:
        """Whether every batch has been dealt with."""
        return self._left == 0

    def batch_done(self) -> None:
        """Count one batch as dealt with."""
        self._left -= 1

    def add(self, positions: npt.NDArray[np.int64], columns: Columns) -> None:
        """Put the values of some rows in their places."""
        for name, values in columns.items():
            if name not in self._columns:
                self._columns[name] = _empty_like(values, self._rows)
            _put(self._columns[name], positions, values)
        self._filled[positions] = True

    def fail(self, bad: BadRow) -> None:
        """Note a row that has no result."""
        self._bad.append(bad)

    def output(self, peak_bytes: int) -> Output:
        """All that was collected, rows in order, failed ones left out."""
        columns = self._columns
        if not self._filled.all():
            keep = np.flatnonzero(self._filled)
            columns = {name: _take(values, keep) for name, values in columns.items()}
        return Output(self._number, columns, self._bad, self.splits, peak_bytes)


def _empty_like(values: Column, rows: int) -> Column:
    if isinstance(values, list):
        return [None] * rows
    return np.empty((rows, *values.shape[1:]), dtype=values.dtype)


def _put(
    column: Column,
    positions: npt.NDArray[np.int64],
    values: npt.NDArray[Any] | list[Any],
) -> None:
    if isinstance(column, list):
        for position, value in zip(positions.tolist(), values, strict=True):
            column[position] = value
    else:
        column[positions] = values


def _take(column: Column, keep: npt.NDArray[np.int64]) -> Column:
    if isinstance(column, list):
        return [column[position] for position in keep.tolist()]
    return column[keep]
