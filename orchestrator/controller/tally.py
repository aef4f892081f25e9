"""What is counted between two updates of the metrics. On the loop's thread."""

from __future__ import annotations

from collections import Counter


class Tally:
    """Waits, attempts and retries since the last time somebody took them."""

    def __init__(self) -> None:
        self._waits: list[float] = []
        self._attempts = 0
        self._retries: Counter[str] = Counter()

    def began(self, waited_s: float) -> None:
        """An attempt got its place."""
        self._waits.append(waited_s)
        self._attempts += 1

    def retried(self, cause: str) -> None:
        """An attempt failed, and another one follows."""
        self._retries[cause] += 1

    def take(self) -> tuple[tuple[float, ...], int, dict[str, int]]:
        """Waits in seconds, attempts, and retries by cause; the counts begin anew."""
        taken = (tuple(self._waits), self._attempts, dict(self._retries))
        self._waits, self._attempts, self._retries = [], 0, Counter()
        return taken
