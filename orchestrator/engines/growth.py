"""How large a batch should be, found by doubling it while that pays."""

from __future__ import annotations

_DROP = 0.97
_GAIN = 1.005


class Growth:
    """Tries sizes, each twice the one before, and keeps the fastest that fits.

    It ends when memory for the next size is lacking, when the rate drops, when the
    time for trying is spent, or at the cap.
    """

    def __init__(
        self,
        start: int,
        cap: int,
        limit_bytes: int,
        limit_seconds: float = 1.5,
        *,
        base_bytes: int = 0,
        promised: int = 0,
    ) -> None:
        """Start below what could fail.

        Args:
            start: First size to try.
            cap: Largest size to try.
            limit_bytes: The reservation.
            limit_seconds: Time that trying may take.
            base_bytes: Of the memory in use, what does not grow with the size.
            promised: Up to this size the reservation was reckoned: it is tried
                whatever the sizes before it took.
        """
        self.size = min(start, cap)
        """What to try next; once done, the best."""
        self.done = False
        self.settled = False
        """A larger size than the best was tried, and was not faster."""
        self._cap = cap
        self._limit_bytes = limit_bytes
        self._base_bytes = base_bytes
        self._promised = promised
        self._seconds_left = limit_seconds
        self._best = 0
        self._rate = 0.0

    def record(self, seconds: float, peak_bytes: int) -> None:
        """The current size ran in `seconds` and needed `peak_bytes` in all."""
        rate = self.size / max(seconds, 1e-9)
        self._seconds_left -= seconds
        if rate > self._rate * _GAIN:
            self._best, self._rate = self.size, rate
        next_bytes = peak_bytes + max(0, peak_bytes - self._base_bytes)
        has_room = next_bytes <= self._limit_bytes or 2 * self.size <= self._promised
        fits = 2 * self.size <= self._cap and has_room
        in_time = 4 * seconds <= self._seconds_left
        if fits and in_time and rate >= self._rate * _DROP:
            self.size *= 2
        else:
            self.settled = self._best < self.size
            self._end()

    def overflow(self) -> bool:
        """The current size does not fit; whether a smaller one did."""
        if self._best:
            self._end()
            return True
        return False

    def _end(self) -> None:
        self.size, self.done = self._best, True
