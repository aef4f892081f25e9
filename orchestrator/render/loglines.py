"""Pieces of logs as lines with the rank in front."""

from __future__ import annotations

import re
from collections.abc import Iterator


class LogLines:
    """Makes whole lines of the pieces of one log.

    Args:
        rank: Put in front of each line as `[rank] `; `None`: nothing is.
        pattern: Lines that do not match are left out.
    """

    def __init__(self, rank: int | None, pattern: re.Pattern[str] | None) -> None:
        self._prefix = "" if rank is None else f"[{rank}] "
        self._pattern = pattern
        self._rest = b""

    def take(self, data: bytes) -> Iterator[str]:
        """The lines that are complete with this piece."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        return self._shown(lines)

    def end(self) -> Iterator[str]:
        """The last line, if it had no end."""
        lines = [self._rest] if self._rest else []
        self._rest = b""
        return self._shown(lines)

    def _shown(self, lines: list[bytes]) -> Iterator[str]:
        for line in lines:
            text = line.decode("utf-8", "replace").removesuffix("\r")
            if self._pattern is None or self._pattern.search(text):
                yield self._prefix + text
