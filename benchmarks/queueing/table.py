"""What was measured, as a table for people and as JSON."""

from __future__ import annotations

import math
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

LIBRARIES = ("ray", "hyperqueue")


@dataclass(frozen=True, slots=True)
class Measured:
    """One figure.

    Attributes:
        case: What was done; rows of one case stand together.
        system: Who did it.
        unit: `s`, `ms`, `jobs/s` or `MiB`.
        values: All that was measured, in this unit; empty if nothing could be.
        limit: What the first of `shown` is to be, at most; of a rate, at least.
        note: How, or why there is no figure.
        upper: Which part of the values the second figure is above.
    """

    case: str
    system: str
    unit: str
    values: tuple[float, ...] = ()
    limit: float | None = None
    note: str = ""
    upper: float = 1.0

    @property
    def middle(self) -> float:
        """The median."""
        return quantile(self.values, 0.5)

    @property
    def kept(self) -> bool:
        """Whether the limit is kept, by the median; without one it is."""
        if self.limit is None or not self.values:
            return self.limit is None
        if self.unit == "jobs/s":
            return self.middle >= self.limit
        return self.middle <= self.limit


def quantile(values: Sequence[float], part: float) -> float:
    """The smallest value that this part of the values does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(part * len(ordered)) - 1)]


def markdown(rows: Sequence[Measured]) -> str:
    """The table."""
    lines = [
        "| what | system | median | max | runs | limit | how |",
        "| --- | --- | ---: | ---: | ---: | ---: | --- |",
    ]
    cases = list(dict.fromkeys(row.case for row in rows))
    for row in sorted(rows, key=lambda row: cases.index(row.case)):
        limit = "" if row.limit is None else _amount(row.limit, row.unit)
        cells = (row.case, row.system, *_figures(row), limit, row.note)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def machine() -> str:
    """What it was measured on, and how busy that was."""
    found = [f"{os.cpu_count()} cores", f"Python {platform.python_version()}"]
    for name in LIBRARIES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return f"{', '.join(found)}; load {os.getloadavg()[0]:.1f}"


def _figures(row: Measured) -> tuple[str, str, str]:
    if not row.values:
        return ("-", "-", "0")
    most = quantile(row.values, row.upper)
    if len(row.values) == 1:
        return (_amount(row.middle, row.unit), "", "1")
    title = "" if row.upper == 1.0 else f" (p{row.upper:.0%})".replace("%", "")
    return (
        _amount(row.middle, row.unit),
        f"{_amount(most, row.unit)}{title}",
        str(len(row.values)),
    )


def _amount(value: float, unit: str) -> str:
    digits = {"s": 2, "ms": 1}.get(unit, 1 if value < 10 else 0)
    return f"{value:,.{digits}f} {unit}"
