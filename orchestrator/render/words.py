"""Small words: counts with their noun, times of day."""

from __future__ import annotations

from datetime import datetime

from orchestrator.units import format_count


def counted(count: int, noun: str) -> str:
    """`1 replica`, `12,000 rows`."""
    return f"{format_count(count)} {noun}{'' if count == 1 else 's'}"


def clock(now: datetime) -> str:
    """The time of day in front of a line."""
    return now.strftime("%H:%M:%S")


def shortened(text: str, cells: int) -> str:
    """The first line of a text, cut with an ellipsis where it is longer."""
    line, _newline, more = text.strip().partition("\n")
    if len(line) <= cells and not more:
        return line
    return f"{line[: cells - 1].rstrip()}…"
