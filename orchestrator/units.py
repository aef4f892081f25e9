"""Amounts as people write them: `20GiB`, `90s`; integers and seconds inside."""

from __future__ import annotations

import re

KIB = 1 << 10
MIB = 1 << 20
GIB = 1 << 30
TIB = 1 << 40

_MEMORY = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT])(?:i?B)?", re.IGNORECASE)
_SCALE = {"K": KIB, "M": MIB, "G": GIB, "T": TIB}
_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?")


def parse_memory(text: str) -> int:
    """Bytes of `20GiB`, `20GB`, `20G` or `20480MiB`; all are powers of two.

    Raises:
        ValueError: The text is not an amount of memory.
    """
    match = _MEMORY.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"'{text}' is not an amount of memory; write it like 20GiB")
    return int(float(match[1]) * _SCALE[match[2].upper()])


def format_gib(amount: int) -> str:
    """Bytes in GiB with one decimal and no unit, for columns of numbers."""
    return f"{amount / GIB:.1f}"


def format_memory(amount: int) -> str:
    """Bytes as `20.5 GiB`, or in MiB below a tenth of a GiB."""
    if abs(amount) < GIB // 10:
        return f"{amount / MIB:.0f} MiB"
    return f"{format_gib(amount)} GiB"


def parse_duration(text: str) -> float:
    """Seconds of `90s`, `15m`, `2h`, `1d` or `1h30m`.

    Raises:
        ValueError: The text is not a duration; a bare number is not.
    """
    match = _DURATION.fullmatch(text.strip())
    if match is None or not any(match.groups()):
        raise ValueError(f"'{text}' is not a duration; write it like 90s, 15m or 2h")
    days, hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return days * 86400 + hours * 3600 + minutes * 60 + seconds


def format_duration(seconds: float) -> str:
    """Seconds as `1.8 s`, `2m46s` or `1h05m`."""
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02d}m"


def format_count(count: int) -> str:
    """A count with thousands separated, as `12,000`."""
    return f"{count:,}"
