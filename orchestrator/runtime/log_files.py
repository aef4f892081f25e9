"""Reads logs that grow: by offset, from the end, from a moment on."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from orchestrator.runtime.commands.log_writer import ENTRY, EVERY_MS, index_of

BLOCK_BYTES = 1 << 16


def size(path: Path) -> int:
    """Bytes of a log; 0 if it is not there."""
    with suppress(OSError):
        return path.stat().st_size
    return 0


def read_range(path: Path, offset: int, limit: int) -> bytes:
    """Up to `limit` bytes from `offset` on; nothing past the end or without a log."""
    with suppress(OSError), path.open("rb", buffering=0) as file:
        return os.pread(file.fileno(), limit, offset)
    return b""


def tail_offset(path: Path, lines: int, block_bytes: int = BLOCK_BYTES) -> int:
    """Where the last lines begin; an unfinished last one counts as a line."""
    end = size(path)
    if lines <= 0:
        return end
    # A line break at the very end only ends the last line.
    missing = lines + (read_range(path, end - 1, 1) == b"\n") if end else lines
    at = end
    while at > 0:
        start = max(0, at - block_bytes)
        block = read_range(path, start, at - start)
        found = block.count(b"\n")
        if found >= missing:
            return start + _nth_break_from_end(block, missing) + 1
        missing -= found
        at = start
    return 0


def offset_since(path: Path, epoch_s: float) -> int:
    """Where what was written since then begins, to the second; the end if nothing."""
    index = index_of(path)
    low, high = 0, size(index) // ENTRY.size
    while low < high:
        middle = (low + high) // 2
        written_ms, _ = _entry(index, middle)
        # The bytes of an entry came within the second that it begins.
        if written_ms + EVERY_MS > epoch_s * 1000:
            high = middle
        else:
            low = middle + 1
    if low == size(index) // ENTRY.size:
        return size(path)
    return _entry(index, low)[1]


def _entry(index: Path, number: int) -> tuple[int, int]:
    found: tuple[int, int] = ENTRY.unpack(
        read_range(index, number * ENTRY.size, ENTRY.size)
    )
    return found


def _nth_break_from_end(block: bytes, nth: int) -> int:
    at = len(block)
    for _ in range(nth):
        at = block.rindex(b"\n", 0, at)
    return at
