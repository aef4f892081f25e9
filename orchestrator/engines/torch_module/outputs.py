"""What a module's forward returns -> columns with one value a row."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import torch

from orchestrator.engines.base import Column, Columns
from orchestrator.engines.transfer import fetch
from orchestrator.errors import Code, OrchError

Pending: TypeAlias = "Callable[[], Columns]"
"""Waits for the columns of a launched batch."""


def pending(output: Any, rows: int) -> Pending:  # noqa: ANN401 - the user's own
    """Queue the output's way back.

    A tensor becomes the column `output`, a tuple `output_0`, `output_1`, ..., a dict
    of tensors its keys, a list of dicts (one a row) theirs.

    Raises:
        OrchError: E401, it is none of these, or has not one value a row.
    """
    if _is_records(output):
        columns = _from_records(output, rows)
        return lambda: columns
    waits = {name: _column(name, v, rows) for name, v in _named(output).items()}
    return lambda: {name: wait() for name, wait in waits.items()}


def join(parts: Sequence[Columns]) -> Columns:
    """The columns of consecutive parts of a batch, one behind the other.

    Raises:
        OrchError: E401, the parts have different columns.
    """
    if len(parts) == 1:
        return parts[0]
    if len({frozenset(part) for part in parts}) > 1:
        raise _wrong("forward returned different columns for different rows")
    return {name: _joined([part[name] for part in parts]) for name in parts[0]}


def _joined(columns: list[Any]) -> Column:
    if all(isinstance(column, np.ndarray) for column in columns):
        whole: Column = np.concatenate(columns)
        return whole
    return [value for column in columns for value in column]


def _is_records(output: object) -> bool:
    return isinstance(output, list) and all(isinstance(r, Mapping) for r in output)


def _from_records(records: list[dict[str, Any]], rows: int) -> Columns:
    if len(records) != rows:
        raise _wrong(f"expected {rows} rows, got a list of {len(records)}")
    names = list(dict.fromkeys(str(name) for record in records for name in record))
    return {name: [_plain(record.get(name)) for record in records] for name in names}


def _plain(value: object) -> object:
    if isinstance(value, torch.Tensor):
        return fetch(value)().tolist()
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value


def _named(output: Any) -> dict[str, Any]:  # noqa: ANN401
    if isinstance(output, Mapping):
        return {str(name): value for name, value in output.items()}
    if isinstance(output, (tuple, list)):
        return {f"output_{i}": value for i, value in enumerate(output)}
    return {"output": output}


def _column(name: str, value: Any, rows: int) -> Callable[[], Column]:  # noqa: ANN401
    if isinstance(value, torch.Tensor):
        if value.ndim == 0 or value.shape[0] != rows:
            raise _wrong(
                f"'{name}' has shape {tuple(value.shape)}; its first dimension must be"
                f" the {rows} rows"
            )
        return fetch(value)
    if isinstance(value, (list, np.ndarray)) and len(value) == rows:
        return lambda: value
    raise _wrong(
        f"'{name}' is {type(value).__name__}; expected a tensor, or a list of one value"
        " a row"
    )


def _wrong(message: str) -> OrchError:
    return OrchError.of(
        Code.USER_CODE_RAISED,
        f"The output of forward cannot be used: {message}.",
        fix="Return a tensor [rows, ...], a tuple or dict of them, or a list with a"
        " dict for every row.",
    )
