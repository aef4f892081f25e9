"""What others say a model needs."""

from __future__ import annotations

import importlib
from importlib import metadata
from typing import Any

import torch

from benchmarks.memory.shapes import ModelShape

MARGIN_PERCENT = 20


def accelerate_bytes(shape: ModelShape, dtype: str) -> int:
    """`accelerate estimate-memory`: the weights of the model in this dtype.

    The package's own function if it works here, else its rule: all parameters and
    buffers, counted in float32 and halved for 16 bits
    (accelerate/commands/estimate.py). Its documentation adds up to 20 % for inference.
    """
    module = shape.built(torch.float32, "meta")
    try:
        total = int(_by_package(module))
    except Exception:  # noqa: BLE001 - it is a guest here, and its rule is known
        total = sum(
            tensor.numel() * tensor.element_size()
            for tensor in (*module.parameters(), *module.buffers())
        )
    return total // (1 if dtype == "float32" else 2)


def source() -> str:
    """Where accelerate's numbers come from, for the reader."""
    try:
        return f"accelerate {metadata.version('accelerate')}"
    except metadata.PackageNotFoundError:
        return "accelerate's rule (it is not installed)"


def _by_package(module: torch.nn.Module) -> Any:  # noqa: ANN401 - it has no types
    return importlib.import_module("accelerate.utils").calculate_maximum_sizes(module)[
        0
    ]
