"""What is due later, the soonest first; what was cancelled takes no room for long."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable

KEPT = 64
"""So many cancelled entries may stay beside as many that count."""


class Timer:
    """Something to be done at a time; `cancel` it when it does not matter any more.

    Attributes:
        act: What; `None` once it is done or cancelled.
    """

    __slots__ = ("_timers", "act")

    def __init__(self, act: Callable[[], None], timers: Timers) -> None:
        self.act: Callable[[], None] | None = act
        self._timers = timers

    def cancel(self) -> None:
        """Let it never happen; nothing if it has."""
        if self.act is not None:
            self.act = None
            self._timers.cancelled()


class Timers:
    """A heap of timers. One thread only."""

    def __init__(self) -> None:
        """Begin without any."""
        self._heap: list[tuple[float, int, Timer]] = []
        self._numbers = itertools.count()
        self._cancelled = 0

    def __len__(self) -> int:
        """How many entries there are, cancelled ones included."""
        return len(self._heap)

    def add(self, due: float, act: Callable[[], None]) -> Timer:
        """Have this done at that time."""
        timer = Timer(act, self)
        # Of two that are due at once, the older is first.
        heapq.heappush(self._heap, (due, next(self._numbers), timer))
        return timer

    def next_due(self) -> float | None:
        """When the first one is due; `None`: there is none."""
        while self._heap and self._heap[0][2].act is None:
            heapq.heappop(self._heap)
            self._cancelled -= 1
        return self._heap[0][0] if self._heap else None

    def pop(self) -> Callable[[], None]:
        """What the first one is to do.

        Raises:
            IndexError: There is none.
        """
        self.next_due()
        timer = heapq.heappop(self._heap)[2]
        act, timer.act = timer.act, None
        assert act is not None
        return act

    def cancelled(self) -> None:
        """One of them was; many are removed together."""
        self._cancelled += 1
        if self._cancelled > max(KEPT, len(self._heap) // 2):
            self._heap = [entry for entry in self._heap if entry[2].act is not None]
            heapq.heapify(self._heap)
            self._cancelled = 0
