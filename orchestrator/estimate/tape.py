"""What a forward pass takes and gives back, in order: the tape of its memory."""

from __future__ import annotations

from collections.abc import Iterator


class Tape:
    """Blocks of memory as they come and go.

    Attributes:
        events: `(block, bytes)` when a block is taken, `(block, 0)` when it is freed.
    """

    __slots__ = ("_next", "events")

    def __init__(self) -> None:
        self.events: list[tuple[int, int]] = []
        self._next = 0

    def new(self, size_bytes: int) -> int:
        """Take a block; its number."""
        block = self._next
        self._next += 1
        if size_bytes:
            self.events.append((block, size_bytes))
        return block

    def free(self, *blocks: int) -> None:
        """Give blocks back."""
        self.events.extend((block, 0) for block in blocks)

    def live(self) -> Iterator[int]:
        """Bytes that are taken, after every event."""
        sizes: dict[int, int] = {}
        total = 0
        for block, size in self.events:
            if size:
                sizes[block] = size
                total += size
            else:
                total -= sizes.pop(block, 0)
            yield total

    def peak_bytes(self) -> int:
        """The most that is taken at once."""
        return max(self.live(), default=0)
