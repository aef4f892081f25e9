"""Rows that earlier runs have finished, found by key wherever they stood."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from orchestrator.data.finished_rows import (
    FinishedRows,
    PartRows,
    Positions,
    result_rows,
)
from orchestrator.data.index import Index, read_index
from orchestrator.data.parts import ROW, PartStore
from orchestrator.errors import Code, OrchError

NOT_FOUND = -1


class Previous:
    """Finished rows of earlier runs in an output folder; failed ones are not.

    Holds 24 bytes a row in memory, and up to 40 while it is opened.
    """

    def __init__(self, sources: Sequence[FinishedRows]) -> None:
        self._sources = sources
        halves = [
            np.frombuffer(source.keys(), np.uint64).reshape(-1, 2) for source in sources
        ]
        counts = [len(part) for part in halves]
        self._starts = np.concatenate(([0], np.cumsum(counts, dtype=np.int64)))
        whole = halves[0] if len(halves) == 1 else np.concatenate(halves)
        del halves
        # Sorted by the first half of the keys; the second tells equal ones apart.
        self._order = np.argsort(whole[:, 0])
        self._first = whole[self._order, 0]
        self._second = whole[self._order, 1]

    @classmethod
    def open(cls, work: Path) -> Previous | None:
        """What the work folder of an output folder knows; `None` if that is nothing.

        The parts of the present run do not belong to it.

        Raises:
            OrchError: E304 when somebody has changed the results file.
        """
        sources: list[FinishedRows] = list(_parts(work))
        index = read_index(work)
        if index is not None:
            _check_unchanged(work.parent, index)
            sources.extend(result_rows(work.parent, work, index))
        return cls(sources) if sources else None

    def __len__(self) -> int:
        """How many rows are finished, the same one in two places counted twice."""
        return len(self._order)

    def find(self, keys: Sequence[bytes]) -> Positions:
        """For each key the position of a finished row that has it, or `NOT_FOUND`."""
        wanted = np.frombuffer(b"".join(keys), np.uint64).reshape(-1, 2)
        found = np.full(len(wanted), NOT_FOUND, np.int64)
        places = np.searchsorted(self._first, wanted[:, 0])
        open_: NDArray[np.int64] = np.arange(len(wanted))
        while len(open_):
            open_ = open_[places[open_] < len(self._first)]
            open_ = open_[self._first[places[open_]] == wanted[open_, 0]]
            hit = self._second[places[open_]] == wanted[open_, 1]
            found[open_[hit]] = self._order[places[open_[hit]]]
            open_ = open_[~hit]
            places[open_] += 1
        return found

    def take(self, positions: Positions, row_numbers: Sequence[int]) -> pa.Table:
        """Finished rows as a part's table, numbered anew and sorted by number.

        Args:
            positions: From `find`, none of them `NOT_FOUND`; at least one.
            row_numbers: The rows' numbers in the present input.

        Raises:
            OrchError: E304 when rows of different runs have incompatible outputs.
        """
        numbers = np.asarray(row_numbers, np.int64)
        owners = np.searchsorted(self._starts, positions, side="right") - 1
        tables = []
        for owner in np.unique(owners).tolist():
            here = np.flatnonzero(owners == owner)
            table = self._sources[owner].take(positions[here] - self._starts[owner])
            tables.append(table.add_column(0, ROW, pa.array(numbers[here])))
        try:
            whole = pa.concat_tables(tables, promote_options="permissive")
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise OrchError.of(
                Code.WRONG_STATE,
                f"the results of earlier runs do not go together: {error}",
                fix="set output.on_exists: overwrite, or choose another output.path",
            ) from None
        return whole.sort_by(ROW)


def _parts(work: Path) -> Iterator[PartRows]:
    previous = work / "previous"
    if previous.exists():
        for folder in sorted(previous.iterdir(), reverse=True):
            for path in PartStore(folder).paths():
                yield PartRows(path)


def _check_unchanged(root: Path, index: Index) -> None:
    path = root / index.results
    if path.exists() and path.stat().st_size != index.size_bytes:
        raise OrchError.of(
            Code.WRONG_STATE,
            f"'{path}' was changed after the run that wrote it",
            facts=(f"{path.stat().st_size} bytes, written were {index.size_bytes}",),
            fix="set output.on_exists: overwrite, or choose another output.path",
        )
