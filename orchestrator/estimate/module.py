"""Memory of a user's own module, from what its engine saw of it."""

from __future__ import annotations

from orchestrator.estimate.base import Estimate
from orchestrator.estimate.gpus import gpu_constants

_SEGMENT_PERCENT = 10
"""What the allocator holds beyond what is in use, at a size that was not measured."""


def estimate_module(
    parameters_bytes: int,
    small_batches: tuple[tuple[int, int], ...],
    rows: int,
    *,
    gpu_model: str = "",
) -> Estimate:
    """Estimate a module from one or two small batches; linear in rows.

    Args:
        parameters_bytes: Parameters and buffers, counted on the meta device.
        small_batches: `(rows, peak bytes beside the parameters)`, of one or two sizes
            of batch. The line through two gives a fixed part and a part a row; one
            alone counts as proportional to its rows, which is too much, not too
            little, for more rows. What grows faster than its rows is not foreseen.
        rows: Rows of the batch to estimate.
        gpu_model: The GPU's name as NVML gives it; empty: not known.

    Raises:
        ValueError: No batch, or two of one size.
    """
    fixed, per_row_bytes, per_rows = _line(small_batches)
    activations = fixed + -(-rows * per_row_bytes // per_rows)
    largest = max(taken for _, taken in small_batches)
    if rows >= max(count for count, _ in small_batches):
        activations = max(activations, largest)
    constants = gpu_constants(gpu_model)
    return Estimate(
        weights_bytes=parameters_bytes,
        activation_bytes=activations,
        context_bytes=constants.context_bytes,
        budget_tokens=rows,
        workspace_bytes=constants.workspace_bytes,
        slack_bytes=activations * _SEGMENT_PERCENT // 100,
    )


def _line(small_batches: tuple[tuple[int, int], ...]) -> tuple[int, int, int]:
    """Fixed bytes, and bytes for so many rows."""
    if not small_batches:
        raise ValueError("a small batch must be measured")
    (rows, taken), *others = sorted(small_batches)
    if not others:
        return 0, taken, max(1, rows)
    more_rows, more_taken = others[-1]
    if more_rows == rows:
        raise ValueError("two small batches must differ in rows")
    slope, step = max(0, more_taken - taken), more_rows - rows
    return max(0, taken - slope * rows // step), slope, step
