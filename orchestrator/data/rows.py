"""Rows on their way: as raw chunks of the input, decoded, and as failures."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from orchestrator.errors import Code


class ChunkFormat(StrEnum):
    """How a chunk's payload is written."""

    JSONL = "jsonl"
    CSV = "csv"
    TEXT = "text"
    ARROW = "arrow"
    """An Arrow IPC stream, from Parquet input."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive rows that travel together, not yet decoded.

    Attributes:
        first_row: Number of its first row in the whole input, from 0.
        rows: How many rows it spans, finished ones included.
        format: How `payload` is written.
        payload: The rows as they stand in the input.
        header: Column names of a CSV file.
        skip: Row numbers in it that an earlier run has finished.
    """

    first_row: int
    rows: int
    format: ChunkFormat
    payload: bytes
    header: tuple[str, ...] = ()
    skip: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class RowFailure:
    """A row that could not be done; it goes to failed.jsonl, the others go on."""

    row: int
    id: str | None
    code: Code
    message: str


@dataclass(frozen=True, slots=True)
class Rows:
    """Decoded rows, as columns of equal length, in input order.

    Attributes:
        numbers: Row numbers in the whole input.
        keys: 16-byte keys: the row's id, or its content.
        ids: The rows' ids; `None` where there is no `id_field`.
        fields: For each row the values of the wanted fields, in their order.
    """

    numbers: list[int]
    keys: list[bytes]
    ids: list[str | None]
    fields: list[tuple[Any, ...]]

    def __len__(self) -> int:
        """How many rows there are."""
        return len(self.numbers)

    def without(self, positions: set[int]) -> Rows:
        """The rows but those at these positions."""
        keep = [p for p in range(len(self)) if p not in positions]
        return Rows(
            [self.numbers[p] for p in keep],
            [self.keys[p] for p in keep],
            [self.ids[p] for p in keep],
            [self.fields[p] for p in keep],
        )
