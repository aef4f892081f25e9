"""How many rows a chunk should hold: found by the program, not asked of the user."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

FIRST_ROWS = 8
"""Small, so that the first results come at once."""
MAX_ROWS = 16_384
MAX_BYTES = 16 << 20
TARGET_S = 0.5
"""Work in one chunk: long against its fixed costs, short against the job's tail."""
GROWTH = 4
WINDOW_S = 2.0
"""Time over which a replica's rate is taken."""
SHARE_OF_REST = 4
"""Near the end a chunk is at most this fraction of a replica's share of the rest."""
MIN_S = 0.08
"""Work below which a chunk costs more in overhead than it saves in waiting."""


@dataclass(slots=True)
class ChunkSizer:
    """Sizes the next chunk from the rates seen so far.

    Towards the end chunks shrink with what is left (guided self-scheduling,
    Polychronopoulos and Kuck 1987), so that all replicas end together.
    """

    rows_per_second: float = 0.0
    largest: int = FIRST_ROWS // GROWTH
    _seen: deque[tuple[float, int]] = field(default_factory=deque)

    def observe(self, rows: int, now_s: float) -> None:
        """A replica finished a chunk of this many rows at this moment.

        Chunks can come back in bursts, so the rate is taken over several of them.
        """
        self.largest = max(self.largest, rows)
        self._seen.append((now_s, rows))
        while len(self._seen) > 2 and now_s - self._seen[0][0] > WINDOW_S:
            self._seen.popleft()
        seconds = now_s - self._seen[0][0]
        if len(self._seen) > 1 and seconds > 0:
            # The oldest marks where the window begins; its rows lie before that.
            counted = sum(n for _, n in self._seen) - self._seen[0][1]
            self.rows_per_second = counted / seconds

    def rows(self, rest: float | None, replicas: int) -> int:
        """Rows of the next chunk.

        Args:
            rest: Estimated rows not yet handed out; `None` if nobody knows.
            replicas: Replicas that share them.
        """
        if self.rows_per_second == 0:
            return FIRST_ROWS
        most = min(self.largest * GROWTH, MAX_ROWS)
        wanted = min(self.rows_per_second * TARGET_S, most)
        if rest is not None:
            wanted = min(wanted, rest / (max(1, replicas) * SHARE_OF_REST))
        least = min(self.rows_per_second * MIN_S, most)
        return max(int(wanted), int(least), FIRST_ROWS // 2)
