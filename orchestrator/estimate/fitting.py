"""The largest work that fits into an amount of memory: computed, not guessed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

from orchestrator.estimate.base import Estimate
from orchestrator.estimate.model import Shape

Field = Literal["batch", "length", "context"]


def largest(
    shape: Shape,
    field: Field,
    most: int,
    memory_bytes: int,
    estimated: Callable[[Shape], Estimate],
) -> int:
    """The largest value of one field with which the work fits.

    Args:
        shape: The work; its other fields stay.
        field: What may shrink.
        most: The largest value wanted.
        memory_bytes: What there is.
        estimated: Estimates a shape; about `log2(most)` shapes are tried.

    Returns:
        From 0, not even one fits, to `most`. That many do fit; a few more might, as
        what an allocator reserves does not grow evenly.
    """

    def fits(value: int) -> bool:
        return estimated(_with(shape, field, value)).total_bytes <= memory_bytes

    if most > 0 and fits(most):
        return most
    low, high = 0, most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def _with(shape: Shape, field: Field, value: int) -> Shape:
    match field:
        case "batch":
            return replace(shape, batch=value)
        case "length":
            return replace(shape, length=value)
        case "context":
            return replace(shape, context=value)
