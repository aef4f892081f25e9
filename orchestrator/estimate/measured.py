"""Estimates corrected by what earlier runs were seen to take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from orchestrator.estimate.base import Estimate
from orchestrator.estimate.model import Shape


@dataclass(frozen=True, slots=True)
class Peak:
    """The most that a run held of one GPU, context included.

    Attributes:
        shape: The largest batch it ran.
        bytes: What it held at most.
        gpu_model: The GPU's name as NVML gives it.
    """

    shape: Shape
    bytes: int
    gpu_model: str


def corrected(
    estimate: Estimate, shape: Shape, peaks: Sequence[Peak], gpu_model: str
) -> Estimate:
    """Correct an estimate by peaks of the same model, revision and dtype.

    The same shape on the same GPU model: its peak, and the estimate is `measured`.
    Otherwise the nearest peak on that GPU model is scaled, what comes and goes in it,
    by tokens; the result is the larger of that and the estimate if the peak's shape
    is smaller. It never falls below a peak of a shape that fits into this one, on
    whichever GPU, and never exceeds a peak, on the same GPU model, of a shape that
    this one fits into.

    Args:
        estimate: What was reckoned for `shape`.
        shape: The largest batch that is to run.
        peaks: What was seen, in any order.
        gpu_model: The GPU it is to run on.
    """
    same = [peak for peak in peaks if peak.gpu_model == gpu_model]
    exact = [peak.bytes for peak in same if peak.shape == shape]
    if exact:
        return replace(estimate.with_total(max(exact)), measured=True)
    below = max((p.bytes for p in peaks if _within(p.shape, shape)), default=0)
    above = min((p.bytes for p in same if _within(shape, p.shape)), default=None)
    total = max(estimate.total_bytes, _scaled(estimate, shape, same), below)
    if above is not None and above < total:
        total = max(above, below)
    if total == estimate.total_bytes:
        return estimate
    return replace(estimate.with_total(total), measured=True)


def _scaled(estimate: Estimate, shape: Shape, peaks: Sequence[Peak]) -> int:
    """The nearest peak of a smaller shape, as large as this one's; 0: there is none."""
    smaller = [peak for peak in peaks if _within(peak.shape, shape)]
    if not smaller:
        return 0
    nearest = max(smaller, key=lambda peak: (_tokens(peak.shape), peak.bytes))
    fixed = estimate.weights_bytes + estimate.context_bytes + estimate.workspace_bytes
    moving = max(0, nearest.bytes - fixed)
    return fixed + -(-moving * _tokens(shape) // _tokens(nearest.shape))


def _within(inner: Shape, outer: Shape) -> bool:
    """Whether `inner` takes no more than `outer`, whatever the model."""
    return (
        inner.batch <= outer.batch
        and inner.length <= outer.length
        and inner.context <= outer.context
        and (inner.logits, inner.packed) == (outer.logits, outer.packed)
    )


def _tokens(shape: Shape) -> int:
    return max(1, shape.batch * max(shape.length, shape.context))
