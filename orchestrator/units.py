"""Amounts as people write them: `20GiB`, `90s`; integers and seconds inside."""

from __future__ import annotations

import re
from fractions import Fraction

KIB = 1 << 10
MIB = 1 << 20
GIB = 1 << 30
TIB = 1 << 40

# Digits are bounded, and amounts fit 64 bits: a slip must not overflow later on.
_MEMORY = re.compile(
    r"([0-9]{1,19}(?:\.[0-9]{1,9})?)\s*(?:([KMGT])(?:i?B)?|B)", re.IGNORECASE
)
_LARGEST = (1 << 63) - 1
_SCALE = {None: 1, "K": KIB, "M": MIB, "G": GIB, "T": TIB}
_DURATION = re.compile(
    r"(?:([0-9]{1,9})d)?(?:([0-9]{1,9})h)?(?:([0-9]{1,9})m)?"
    r"(?:([0-9]{1,18}(?:\.[0-9]{1,9})?)\s?s)?"
)


def parse_memory(text: str) -> int:
    """Bytes of `20GiB`, `20GB`, `20G`, `20480MiB` or `512B`; scales are powers of two.

    Raises:
        ValueError: The text is not an amount of memory.
    """
    match = _MEMORY.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"'{text}' is not an amount of memory; write it like 20GiB")
    scale = _SCALE[match[2] and match[2].upper()]
    return min(int(Fraction(match[1]) * scale), _LARGEST)


def format_gib(amount: int) -> str:
    """Bytes in GiB with one decimal and no unit, for columns of numbers."""
    return f"{amount / GIB:.1f}"


def format_memory(amount: int) -> str:
    """Bytes as `20.5 GiB`, or in MiB below a tenth of a GiB."""
    if abs(amount) < GIB // 10:
        return f"{amount / MIB:.0f} MiB"
    return f"{format_gib(amount)} GiB"


def parse_duration(text: str) -> float:
    """Seconds of `90s`, `15m`, `2h`, `1d` or `1h30m`; `1.8 s` as printed, too.

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
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s" if seconds < 9.95 else f"{whole} s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02d}m"


def format_count(count: int) -> str:
    """A count with thousands separated, as `12,000`."""
    return f"{count:,}"
