"""How many rows a chunk should hold: found by the program, not asked of the user."""

from __future__ import annotations

from dataclasses import dataclass

FIRST_ROWS = 8
"""Small, so that the first results come at once."""
MAX_ROWS = 16_384
MAX_BYTES = 16 << 20
TARGET_S = 0.75
"""Work in one chunk: long against its fixed costs, short against the job's tail."""
GROWTH = 4
SHARE_OF_REST = 4
"""Near the end a chunk is at most this fraction of a replica's share of the rest."""
MIN_S = 0.03
"""Work below which a chunk costs more in overhead than it saves in waiting."""


@dataclass(slots=True)
class ChunkSizer:
    """Sizes the next chunk from the rates seen so far.

    Towards the end chunks shrink with what is left (guided self-scheduling,
    Polychronopoulos and Kuck 1987), so that all replicas end together.
    """

    rows_per_second: float = 0.0
    largest: int = FIRST_ROWS // GROWTH

    def observe(self, rows: int, seconds: float) -> None:
        """A replica took this long between two finished chunks."""
        rate = rows / max(seconds, 1e-4)
        seen = self.rows_per_second
        self.rows_per_second = rate if seen == 0 else 0.6 * seen + 0.4 * rate
        self.largest = max(self.largest, rows)

    def rows(self, rest: float | None, replicas: int) -> int:
        """Rows of the next chunk.

        Args:
            rest: Estimated rows not yet handed out; `None` if nobody knows.
            replicas: Replicas that share them.
        """
        if self.rows_per_second == 0:
            return FIRST_ROWS
        wanted = self.rows_per_second * TARGET_S
        wanted = min(wanted, self.largest * GROWTH, MAX_ROWS)
        if rest is not None:
            wanted = min(wanted, rest / (max(1, replicas) * SHARE_OF_REST))
        return max(int(wanted), int(self.rows_per_second * MIN_S), FIRST_ROWS // 2)
