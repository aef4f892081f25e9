"""A cell on the CPU: weights, and tensors alive while the real model runs."""

from __future__ import annotations

import torch

from benchmarks.memory.cells import Cell
from benchmarks.memory.inference import infer, inputs, ready
from benchmarks.memory.rivals import accelerate_bytes
from benchmarks.memory.shapes import SHAPES, header, small
from benchmarks.memory.table import Measured
from benchmarks.memory.tracer import LiveBytes
from orchestrator.estimate.model import estimate_model

_LAYERS = 3


def measure_on_cpu(cell: Cell, part: int) -> Measured:
    """Trace a pass of the cell's model, `part` times narrower, with few layers."""
    shape = small(SHAPES[cell.model], _LAYERS, part)
    module = shape.built(getattr(torch, cell.dtype), "cpu")
    weights = sum(t.numel() * t.element_size() for t in module.parameters())
    estimated = estimate_model(
        shape.read().to_dict(),
        header(module),
        cell.shape,
        dtype=cell.dtype,
        kind="cpu",
    )
    ready(cell, module)
    given = inputs(cell, module, "cpu")
    tracer = LiveBytes(given.values(), [*module.parameters(), *module.buffers()])
    # Not inference_mode: it hides what composite operations are made of.
    with torch.no_grad(), tracer:
        infer(cell, module, given)
    return Measured(
        cell,
        peak_bytes=weights + tracer.peak_bytes,
        ours_bytes=estimated.total_bytes
        - estimated.context_bytes
        - estimated.slack_bytes,
        weights_bytes=weights,
        accelerate_bytes=accelerate_bytes(shape, cell.dtype),
    )
