"""The table of estimates beside what was measured."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.memory.cells import Cell
from benchmarks.memory.rivals import MARGIN_PERCENT
from orchestrator.units import MIB


@dataclass(frozen=True, slots=True)
class Measured:
    """A cell's numbers.

    Attributes:
        cell: What ran.
        peak_bytes: What it took at most, context included on a GPU.
        ours_bytes: Our estimate.
        context_bytes: CUDA's context as measured; 0 on a CPU.
        assumed_bytes: The context within our estimate.
        weights_bytes: The model's parameters.
        accelerate_bytes: What accelerate says.
        fits: `yes`: it ran in what was estimated; else what went wrong.
        short: `oom`: it failed with a tenth less than the least; else what happened.
        error: Why there are no numbers.
    """

    cell: Cell
    peak_bytes: int = 0
    ours_bytes: int = 0
    context_bytes: int = 0
    assumed_bytes: int = 0
    weights_bytes: int = 0
    accelerate_bytes: int = 0
    fits: str = ""
    short: str = ""
    error: str = ""

    @property
    def ours(self) -> float:
        """Our error in percent of what was measured."""
        return _percent(self.ours_bytes, self.peak_bytes)

    @property
    def ours_with_context(self) -> float:
        """Our error, had the context been known."""
        known = self.ours_bytes - self.assumed_bytes + self.context_bytes
        return _percent(known, self.peak_bytes)

    @property
    def ours_moving(self) -> float:
        """Our error in percent of what is neither weights nor context."""
        moving = self.peak_bytes - self.weights_bytes - self.context_bytes
        known = self.ours_bytes - self.assumed_bytes - self.weights_bytes
        return _percent(known, moving)

    @property
    def accelerate(self) -> float:
        """Accelerate's error in percent."""
        return _percent(self.accelerate_bytes, self.peak_bytes)

    @property
    def accelerate_more(self) -> float:
        """The error of accelerate's number and its margin, in percent."""
        more = self.accelerate_bytes * (100 + MARGIN_PERCENT) // 100
        return _percent(more, self.peak_bytes)


COLUMNS: dict[str, Callable[[Measured], float]] = {
    "ours": lambda m: m.ours,
    "ours, context known": lambda m: m.ours_with_context,
    "ours, activations alone": lambda m: m.ours_moving,
    "accelerate": lambda m: m.accelerate,
    f"accelerate + {MARGIN_PERCENT} %": lambda m: m.accelerate_more,
}
_HEAD = ("model", "dtype", "batch", "mode", "measured MiB", *COLUMNS, "fits", "short")


def markdown(results: Sequence[Measured]) -> str:
    """A line for every cell, errors in percent, then medians and 95th percentiles."""
    lines = [_row(_HEAD), _row(["---"] * len(_HEAD)), *map(_line, results)]
    done = [result for result in results if not result.error]
    if done:
        lines += ["", *summary(done)]
    return "\n".join(lines)


def summary(done: Sequence[Measured]) -> list[str]:
    """The distribution of the errors' sizes, as a table."""
    lines = [_row(("estimate", "cells", "median", "95th percentile", "largest"))]
    lines.append(_row(["---"] * 5))
    for name, error in COLUMNS.items():
        sizes = sorted(abs(error(result)) for result in done)
        values = (statistics.median(sizes), percentile(sizes, 95), sizes[-1])
        lines.append(_row([name, str(len(sizes)), *(f"{v:.2f} %" for v in values)]))
    return lines


def percentile(ordered: Sequence[float], percent: int) -> float:
    """The smallest value that at least this share does not exceed."""
    return ordered[-(-len(ordered) * percent // 100) - 1]


def _line(result: Measured) -> str:
    cell = result.cell
    size = f"{cell.batch} x {cell.length}"
    start = [cell.model, cell.dtype, size, cell.mode]
    if result.error:
        return _row([*start, result.error, *[""] * (len(_HEAD) - len(start) - 1)])
    errors = [f"{error(result):+.1f} %" for error in COLUMNS.values()]
    measured = f"{result.peak_bytes / MIB:,.1f}"
    return _row([*start, measured, *errors, result.fits, result.short])


def _row(values: Sequence[str]) -> str:
    return f"| {' | '.join(values)} |"


def _percent(found: int, true: int) -> float:
    return 100.0 * (found - true) / true if true else 0.0
