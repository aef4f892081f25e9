"""PyTorch's caching allocator as arithmetic: what a tape makes it reserve on a GPU.

The rules are those of c10/cuda/CUDACachingAllocator.cpp (torch 2.6 to 2.14; no
expandable segments, one stream): sizes are rounded up to 512 B; up to 1 MiB comes
from segments of 2 MiB, up to 10 MiB from segments of 20 MiB, more from a segment of
its own, rounded up to 2 MiB. The smallest free block that holds a size is taken,
lowest address first, and split if 512 B (small) or more than 1 MiB (large) are left.
Freed blocks join free neighbours. When a segment cannot be had, wholly free segments
go back to CUDA, and it tries once more before it fails.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from dataclasses import dataclass

from orchestrator.estimate.tape import Tape
from orchestrator.units import MIB

_ROUND = 512
_SMALL = MIB
_SMALL_SEGMENT = 2 * MIB
_MEDIUM = 10 * MIB
_MEDIUM_SEGMENT = 20 * MIB
_LARGE_ROUND = 2 * MIB


class OutOfMemory(Exception):  # noqa: N818 - it is an answer, not a mistake
    """A tape does not run within the limit."""


@dataclass(slots=True, eq=False)
class _Block:
    start: int
    size: int
    small: bool
    free: bool = True
    before: _Block | None = None
    after: _Block | None = None


class Allocator:
    """Plays tapes one after the other, as one process does.

    Attributes:
        reserved_bytes: What it holds of the GPU now.
        peak_bytes: The most it has held.
    """

    def __init__(self, limit_bytes: int | None = None) -> None:
        self.reserved_bytes = 0
        self.peak_bytes = 0
        self._limit = limit_bytes
        self._next_address = 0
        # Free blocks by (size, address); addresses are unique.
        self._pools: dict[bool, list[tuple[int, int]]] = {True: [], False: []}
        self._free: dict[int, _Block] = {}

    def play(self, tape: Tape) -> None:
        """Take and free what the tape says; what it leaves taken stays so.

        Raises:
            OutOfMemory: It does not fit into the limit.
        """
        blocks: dict[int, _Block] = {}
        for name, size in tape.events:
            if size:
                blocks[name] = self._take(size)
            elif name in blocks:
                self._give(blocks.pop(name))

    def _take(self, size_bytes: int) -> _Block:
        size = _rounded(size_bytes, _ROUND)
        small = size <= _SMALL
        pool = self._pools[small]
        at = bisect_left(pool, (size, 0))
        if at < len(pool):
            block = self._free.pop(pool.pop(at)[1])
        else:
            block = self._segment(_segment_size(size), small=small)
        block.free = False
        self._split(block, size)
        return block

    def _segment(self, size: int, *, small: bool) -> _Block:
        if self._limit is not None and self.reserved_bytes + size > self._limit:
            self._release_free_segments()
            if self.reserved_bytes + size > self._limit:
                raise OutOfMemory
        self.reserved_bytes += size
        self.peak_bytes = max(self.peak_bytes, self.reserved_bytes)
        start, self._next_address = self._next_address, self._next_address + size
        return _Block(start, size, small)

    def _split(self, block: _Block, size: int) -> None:
        left = block.size - size
        if left < _ROUND if block.small else left <= _SMALL:
            return
        rest = _Block(block.start + size, left, block.small)
        rest.before, rest.after = block, block.after
        if rest.after is not None:
            rest.after.before = rest
        block.size, block.after = size, rest
        self._put(rest)

    def _give(self, block: _Block) -> None:
        before, after = block.before, block.after
        if before is not None and before.free:
            self._pull(before)
            before.size += block.size
            before.after = after
            if after is not None:
                after.before = before
            block = before
        if after is not None and after.free:
            self._pull(after)
            block.size += after.size
            block.after = after.after
            if after.after is not None:
                after.after.before = block
        block.free = True
        self._put(block)

    def _put(self, block: _Block) -> None:
        insort(self._pools[block.small], (block.size, block.start))
        self._free[block.start] = block

    def _pull(self, block: _Block) -> None:
        pool = self._pools[block.small]
        del pool[bisect_left(pool, (block.size, block.start))]
        del self._free[block.start]

    def _release_free_segments(self) -> None:
        for block in list(self._free.values()):
            if block.before is None and block.after is None:
                self._pull(block)
                self.reserved_bytes -= block.size


def reserved_bytes(*tapes: Tape, limit_bytes: int | None = None) -> int:
    """The most that is reserved while the tapes run one after the other.

    Raises:
        OutOfMemory: They do not run within the limit.
    """
    allocator = Allocator(limit_bytes)
    for tape in tapes:
        allocator.play(tape)
    return allocator.peak_bytes


def least_bytes(*tapes: Tape) -> int:
    """The smallest limit, to 2 MiB, within which the tapes run.

    Less than what they reserve when nothing limits them: the allocator gives cached
    segments back before it fails.
    """
    most = reserved_bytes(*tapes)
    low, high = 0, -(-most // _LARGE_ROUND)
    while high - low > 1:
        middle = (low + high) // 2
        try:
            reserved_bytes(*tapes, limit_bytes=middle * _LARGE_ROUND)
            high = middle
        except OutOfMemory:
            low = middle
    return high * _LARGE_ROUND


def _segment_size(size: int) -> int:
    if size <= _SMALL:
        return _SMALL_SEGMENT
    if size < _MEDIUM:
        return _MEDIUM_SEGMENT
    return _rounded(size, _LARGE_ROUND)


def _rounded(size: int, to: int) -> int:
    return -(-size // to) * to
