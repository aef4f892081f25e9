"""Memory of the weights, from the header of a safetensors file.

A header maps each tensor's name to `{"dtype": "F32", "shape": [...], ...}`, beside an
optional `__metadata__` (https://huggingface.co/docs/safetensors).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

from orchestrator.errors import Code, OrchError
from orchestrator.estimate.base import DTYPE_BYTES

_FLOATS = {"F64", "F32", "F16", "BF16"}
_BITS = {
    dtype: bits
    for bits, dtypes in (
        (64, "F64 I64 U64 C64"),
        (32, "F32 I32 U32"),
        (16, "F16 BF16 I16 U16"),
        (8, "I8 U8 BOOL F8_E4M3 F8_E5M2 F8_E8M0"),
        (6, "F6_E2M3 F6_E3M2"),
        (4, "F4"),
    )
    for dtype in dtypes.split()
}


@dataclass(frozen=True, slots=True)
class WeightsInfo:
    """What the files of a model hold."""

    parameters: int
    """Floating-point numbers; loading turns them into the dtype of the run."""
    other_bytes: int = 0
    """Tensors that keep their own dtype: integers, and quantised weights."""

    def bytes_as(self, dtype: str) -> int:
        """Bytes once loaded as `float32`, `float16` or `bfloat16`."""
        return self.parameters * DTYPE_BYTES[dtype] + self.other_bytes


def weights_from_header(header: Mapping[str, Any]) -> WeightsInfo:
    """Count what one safetensors file holds.

    Raises:
        OrchError: E103, an entry is not a tensor that is known.
    """
    return combined(
        _tensor(name, entry) for name, entry in header.items() if name != "__metadata__"
    )


def combined(parts: Iterable[WeightsInfo]) -> WeightsInfo:
    """The sum over the files of one model."""
    listed = tuple(parts)
    return WeightsInfo(
        parameters=sum(part.parameters for part in listed),
        other_bytes=sum(part.other_bytes for part in listed),
    )


def _tensor(name: str, entry: object) -> WeightsInfo:
    match entry:
        case {"dtype": str(dtype), "shape": [*shape]} if dtype in _BITS and all(
            isinstance(size, int) and size >= 0 for size in shape
        ):
            count = prod(shape)
        case _:
            raise OrchError.of(
                Code.MODEL_FAILED_TO_LOAD,
                f"the safetensors header has no valid entry for tensor '{name}'",
                facts=(f"it says: {str(entry)[:120]}",),
                fix="download the model again",
            )
    if dtype in _FLOATS:
        return WeightsInfo(parameters=count)
    return WeightsInfo(parameters=0, other_bytes=-(-count * _BITS[dtype] // 8))
