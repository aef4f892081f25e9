"""Fields of rows -> arrays, beside the GPU's process. Free of torch."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from orchestrator.data.rows import RowFailure, Rows
from orchestrator.engines.base import Column, EngineSpec, Prepared
from orchestrator.engines.embeddings.batches import Int64s
from orchestrator.errors import Code, OrchError

_NARROW = {"f": np.float32, "i": np.int64, "u": np.int64, "b": np.bool_}


@dataclass(frozen=True, slots=True)
class RowBatch:
    """Rows that go through a module together.

    Attributes:
        rows: Positions of its rows in the prepared chunk.
        fields: A column per field: an array [rows, ...] of float32, int64 or bool,
            or a list of values.
    """

    rows: Int64s
    fields: tuple[Column, ...]

    def halves(self) -> tuple[RowBatch, RowBatch]:
        """The first and the second half of its rows."""
        middle = len(self.rows) // 2
        return self.part(0, middle), self.part(middle, len(self.rows))

    def part(self, start: int, stop: int) -> RowBatch:
        """Its rows from `start` up to `stop`."""
        return RowBatch(
            self.rows[start:stop], tuple(column[start:stop] for column in self.fields)
        )


class TorchPreparer:
    """Stacks each field of a chunk to one array."""

    def __init__(self, spec: EngineSpec, budget_rows: int) -> None:
        """See which fields the module takes.

        Raises:
            OrchError: E202, the job file names no fields.
        """
        if not spec.fields:
            raise OrchError.of(
                Code.MISSING_FIELD,
                "The job file does not say which fields the module takes.",
                fix="Add input.fields, in the order of forward's arguments.",
            )
        self._names = spec.fields
        self._budget = max(1, budget_rows)
        self._raw = has_preprocess(spec)

    def prepare(self, rows: Rows) -> Prepared:
        """Arrays of the rows; those unlike the first good row become failures.

        Numbers become float32 or int64, text stays text. A module with a
        `preprocess` of its own gets the values as they are.
        """
        failures: dict[int, str] = {}
        columns: list[Column] = []
        for name, values in zip(self._names, _columns(rows, self._names), strict=True):
            columns.append(values if self._raw else _stack(name, values, failures))
        keep = [i for i in range(len(rows)) if i not in failures]
        if failures:
            columns = [_select(column, keep) for column in columns]
        whole = RowBatch(np.arange(len(keep)), tuple(columns))
        return Prepared(
            rows=rows.without(set(failures)) if failures else rows,
            batches=[
                whole.part(i, i + self._budget)
                for i in range(0, len(keep), self._budget)
            ],
            failures=[
                RowFailure(rows.numbers[i], rows.ids[i], Code.BAD_VALUE, why)
                for i, why in sorted(failures.items())
            ],
        )


def has_preprocess(spec: EngineSpec) -> bool:
    """Whether the entry class defines `preprocess`, read from its source."""
    module, _, name = (spec.model.entry or "").partition(":")
    source = spec.code.get(module.replace(".", "/") + ".py")
    try:
        tree = ast.parse(source or b"")
    except (SyntaxError, ValueError):
        return False  # The executor reports it, with its place.
    classes = [n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == name]
    return any(
        isinstance(part, ast.FunctionDef) and part.name == "preprocess"
        for found in classes
        for part in found.body
    )


def _columns(rows: Rows, names: tuple[str, ...]) -> Iterable[list[Any]]:
    if not len(rows):
        return [[] for _ in names]
    return map(list, zip(*rows.fields, strict=True))


def _stack(name: str, values: list[Any], failures: dict[int, str]) -> Column:
    """One array, or the list of texts; entries of failed rows are left unfilled."""
    texts = any(isinstance(value, str) for value in values)
    whole: Column | None = None if texts else _numbers(values)
    if whole is not None:
        return whole
    singles = [v if isinstance(v, str) else _numbers(v) for v in values]
    model = next((s for i, s in enumerate(singles) if _good(s, i, failures)), None)
    for i, single in enumerate(singles):
        if model is None or _kind(single) != _kind(model):
            failures.setdefault(i, _complaint(name, values[i], single, model))
    if model is None or isinstance(model, str):
        return values
    return _fill(singles, model, failures)


def _fill(singles: list[Any], model: Any, failures: dict[int, str]) -> Column:  # noqa: ANN401
    good = [s for i, s in enumerate(singles) if i not in failures]
    dtype = np.result_type(*(s.dtype for s in good)) if good else model.dtype
    array = np.zeros((len(singles), *model.shape), _NARROW[np.dtype(dtype).kind])
    for i, single in enumerate(singles):
        if i not in failures:
            array[i] = single
    return array


def _numbers(value: Any) -> Any:  # noqa: ANN401 - whatever a row holds
    """The value as an array of numbers, or `None` if it is none."""
    try:
        array = np.asarray(value)
    except (ValueError, OverflowError):
        return None
    if array.dtype.kind not in _NARROW or array.dtype == np.uint64:
        return None
    return array.astype(_NARROW[array.dtype.kind], copy=False)


def _good(single: Any, row: int, failures: dict[int, str]) -> bool:  # noqa: ANN401
    return single is not None and row not in failures


def _kind(single: Any) -> object:  # noqa: ANN401
    """What must be the same in all rows: text or not, and the shape."""
    if single is None or isinstance(single, str):
        return type(single)
    return single.shape


def _complaint(name: str, value: object, single: object, model: object) -> str:
    if value is None:
        return f"field '{name}' is null"
    if single is None:
        return f"field '{name}' is neither numbers of one shape nor text"
    return f"field '{name}' is {_words(single)}, but {_words(model)} in the rows before"


def _words(single: Any) -> str:  # noqa: ANN401
    if isinstance(single, str):
        return "text"
    return f"numbers of shape {single.shape}" if single.shape else "one number"


def _select(column: Column, keep: list[int]) -> Column:
    return [column[i] for i in keep] if isinstance(column, list) else column[keep]
