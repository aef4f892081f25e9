"""Tokens that go through the model together, and how a chunk is cut into them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from orchestrator.scheduling.snapshot import DeviceKind

Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class TokenBatch:
    """Rows of tokens, packed one behind the other without padding.

    Attributes:
        rows: Positions of its rows in the prepared chunk.
        ids: The tokens of all rows, row after row.
        lengths: How many of them each row has; at least one.
    """

    rows: Int64s
    ids: Int32s
    lengths: Int32s

    def halves(self) -> tuple[TokenBatch, TokenBatch]:
        """The first and the second half of its rows."""
        middle = len(self.rows) // 2
        tokens = int(self.lengths[:middle].sum())
        first = TokenBatch(self.rows[:middle], self.ids[:tokens], self.lengths[:middle])
        rest = TokenBatch(self.rows[middle:], self.ids[tokens:], self.lengths[middle:])
        return first, rest


def cut(
    rows: Int64s, ids: Int32s, lengths: Int32s, bounds: list[int]
) -> list[TokenBatch]:
    """Batches between consecutive `bounds`, which are indices of rows."""
    starts = np.concatenate(([0], np.cumsum(lengths, dtype=np.int64)))
    return [
        TokenBatch(rows[a:b], ids[starts[a] : starts[b]], lengths[a:b])
        for a, b in pairwise(bounds)
    ]


def bounds_for(lengths: Int32s, budget: int, kind: DeviceKind) -> list[int]:
    """Where to cut rows sorted by length, longest first, for this kind of GPU.

    Args:
        lengths: Tokens per row, descending.
        budget: Tokens a batch may hold; a longer row is a batch of its own.
        kind: A GPU computes packed tokens, a CPU device padded ones.

    Returns:
        Indices of rows, from 0 to `len(lengths)`.
    """
    if len(lengths) == 0:
        return [0]
    if kind is DeviceKind.CUDA:
        return packed_bounds(lengths, budget)
    return padded_bounds(lengths, budget)


def packed_bounds(lengths: Int32s, budget: int) -> list[int]:
    """As few batches within the budget as can be, of about equal token counts.

    Equal, because the GPU would wait for the launches of a small last batch.
    """
    ends = np.cumsum(lengths, dtype=np.int64)
    fewest = len(_fill(ends, budget)) - 1
    # Every batch but the last exceeds an equal share, so there are no more of them.
    share = -(-int(ends[-1]) // fewest) + int(lengths.max())
    return _fill(ends, min(budget, share))


def _fill(ends: Int64s, cap: int) -> list[int]:
    bounds, taken = [0], 0
    while bounds[-1] < len(ends):
        end = int(np.searchsorted(ends, taken + cap, side="right"))
        bounds.append(max(end, bounds[-1] + 1))
        taken = int(ends[bounds[-1] - 1])
    return bounds


def padded_bounds(lengths: Int32s, budget: int) -> list[int]:
    """Batches whose rows times their longest row is at most the budget."""
    bounds = [0]
    while bounds[-1] < len(lengths):
        rows = max(1, budget // int(lengths[bounds[-1]]))
        bounds.append(min(bounds[-1] + rows, len(lengths)))
    return bounds
