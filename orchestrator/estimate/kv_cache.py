"""Memory of the keys and values that generating keeps."""

from __future__ import annotations

from orchestrator.estimate.architecture import Architecture


def kv_cache_bytes(arch: Architecture, batch: int, context: int, size: int) -> int:
    """`batch x tokens x 2 x kv_heads x head_dim x size`, summed over the layers.

    Args:
        arch: The model.
        batch: Rows at once.
        context: Tokens of a row, prompt and answer.
        size: Bytes of a number.

    A windowed layer keeps no more tokens than its window sees.
    """
    tokens = sum(min(context, arch.window) if w else context for w in arch.windowed)
    return batch * tokens * arch.kv_numbers * size
