"""The rows: made-up token sequences, the same for every set-up, by seed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import torch

from benchmarks.encoder.model import (
    CLS,
    FIRST_WORD,
    LETTERS_PER_WORD,
    LONGEST_TOKENS,
    PAD,
    SEP,
    word,
)

Ints: TypeAlias = npt.NDArray[np.int64]
Tokens: TypeAlias = npt.NDArray[np.int32]

FIXED_TOKENS = 128
SHORTEST_TOKENS = 8
MEDIAN_TOKENS = 128
SPREAD = 0.8
CASES = ("fixed", "skewed")
ROWS_A_BLOCK = 32_768


@dataclass(frozen=True, slots=True)
class Data:
    """Rows end to end, special tokens included; row i is `flat[at[i]:at[i + 1]]`."""

    flat: Tokens
    at: Ints

    @property
    def lengths(self) -> Ints:
        """Tokens of each row."""
        return np.diff(self.at)


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows that go through the model together.

    Attributes:
        rows: Which rows, by number.
        ids: `[rows, tokens]`, padded to the longest.
        lengths: Tokens of each row; `None` if all are as long.
    """

    rows: Ints
    ids: torch.Tensor
    lengths: torch.Tensor | None


def lengths(case: str, rows: int, seed: int) -> Ints:
    """Tokens of each row; more rows keep the lengths of the first."""
    if case == "fixed":
        return np.full(rows, FIXED_TOKENS)
    drawn = np.random.default_rng(seed).lognormal(np.log(MEDIAN_TOKENS), SPREAD, rows)
    return np.clip(drawn.round(), SHORTEST_TOKENS, LONGEST_TOKENS).astype(np.int64)


def make(case: str, rows: int, vocab_size: int, seed: int) -> Data:
    """Random rows of a case; more rows keep the first as they are."""
    at = np.concatenate(([0], np.cumsum(lengths(case, rows, seed))))
    draw = np.random.default_rng(seed + 1)
    flat = draw.integers(FIRST_WORD, vocab_size, size=at[-1], dtype=np.int32)
    flat[at[:-1]] = CLS
    flat[at[1:] - 1] = SEP
    return Data(flat, at)


def batches(data: Data, rows: Ints, size: int, seed: int) -> list[Batch]:
    """Some rows, sorted by length and cut; in pinned memory where there is CUDA.

    The batches come in random order, so that the rate of any part of the run
    stands for the whole: a sorted order would put the cheap rows together.
    """
    ordered = rows[np.argsort(-data.lengths[rows], kind="stable")]
    cuts = [ordered[i : i + size] for i in range(0, len(ordered), size)]
    shuffled = np.random.default_rng(seed).permutation(len(cuts))
    return [_batch(data, cuts[i]) for i in shuffled]


def _batch(data: Data, rows: Ints) -> Batch:
    ids, long = padded(data, rows)
    even = bool(long.min() == long.max())
    return Batch(rows, _pinned(ids), None if even else _pinned(long))


def padded(data: Data, rows: Ints) -> tuple[Tokens, Tokens]:
    """Ids `[rows, tokens]`, padded to the longest of the rows, and their lengths."""
    long = data.lengths[rows]
    columns = np.arange(long.max())
    index = data.at[rows][:, None] + columns
    ids = data.flat[np.minimum(index, len(data.flat) - 1)]
    ids[columns >= long[:, None]] = PAD
    return ids, long.astype(np.int32)


def _pinned(array: Tokens) -> torch.Tensor:
    tensor = torch.from_numpy(array)
    return tensor.pin_memory() if torch.cuda.is_available() else tensor


def write_jsonl(data: Data, path: Path, vocab_size: int) -> None:
    """The same rows as text, one word for one token, for a program that tokenises."""
    table = np.frombuffer(
        "".join(f"{word(i)} " for i in range(vocab_size - FIRST_WORD)).encode(),
        np.uint8,
    ).reshape(-1, LETTERS_PER_WORD + 1)
    with path.open("wb") as out:
        for first in range(0, len(data.at) - 1, ROWS_A_BLOCK):
            out.writelines(_lines(data, table, first))


def _lines(data: Data, table: npt.NDArray[np.uint8], first: int) -> Iterator[bytes]:
    at = data.at[first : first + ROWS_A_BLOCK + 1]
    flat = np.maximum(data.flat[at[0] : at[-1]] - FIRST_WORD, 0)
    text = table[flat].tobytes()
    width = table.shape[1]
    edges = ((at - at[0]) * width).tolist()
    for row, (start, end) in enumerate(pairwise(edges), first):
        words = text[start + width : end - width - 1]
        yield b'{"id": %d, "text": "%b"}\n' % (row, words)
