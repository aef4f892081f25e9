"""Puts the columns of a chunk's batches back into the order of its rows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from orchestrator.engines.base import Column, Columns, Held
from orchestrator.engines.messages import BadRow, Output
from orchestrator.errors import Code, OrchError


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
        """Put the values of some rows in their places.

        Raises:
            OrchError: E401, they are not like those of the rows before.
        """
        if not self._columns:
            self._columns = {
                name: _empty_like(values, self._rows)
                for name, values in columns.items()
            }
        if columns.keys() != self._columns.keys():
            raise _unlike(f"{sorted(columns)}, before {sorted(self._columns)}")
        placed = {
            name: _fitting(name, self._columns[name], values)
            for name, values in columns.items()
        }
        self._columns = placed
        for name, values in columns.items():
            _put(placed[name], positions, values)
        self._filled[positions] = True

    def fail(self, bad: BadRow) -> None:
        """Note a row that has no result."""
        self._bad.append(bad)

    def output(self, held: Held) -> Output:
        """All that was collected, rows in order, failed ones left out."""
        columns = self._columns
        if not self._filled.all():
            keep = np.flatnonzero(self._filled)
            columns = {name: _take(values, keep) for name, values in columns.items()}
        return Output(self._number, columns, self._bad, self.splits, held)


def _empty_like(values: Column, rows: int) -> Column:
    if isinstance(values, list):
        return [None] * rows
    return np.empty((rows, *values.shape[1:]), dtype=values.dtype)


def _fitting(name: str, column: Column, values: Column) -> Column:
    """The column, of a type that holds these values as well."""
    if isinstance(column, list) or isinstance(values, list):
        if type(column) is not type(values):
            raise _unlike(f"'{name}' is once an array and once a list")
        return column
    if column.shape[1:] != values.shape[1:]:
        before, now = column.shape[1:], values.shape[1:]
        raise _unlike(f"a row of '{name}' has shape {now}, before {before}")
    return column.astype(np.result_type(column, values), copy=False)


def _unlike(what: str) -> OrchError:
    return OrchError.of(
        Code.USER_CODE_RAISED,
        f"the model returned other columns than for the rows before: {what}",
    )


def without_columns(output: Output, error: Exception) -> Output:
    """The output with all of its rows failed: its values cannot leave the process."""
    message = f"the model's output cannot be sent: {type(error).__name__}: {error}"
    known = {bad.position for bad in output.bad}
    rows = len(next(iter(output.columns.values()), ())) + len(known)
    bad = [
        BadRow(position, Code.USER_CODE_RAISED, message)
        for position in range(rows)
        if position not in known
    ]
    return replace(output, columns={}, bad=[*output.bad, *bad])


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
