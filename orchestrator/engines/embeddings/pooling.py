"""Hidden states of packed tokens -> one vector a sequence."""

from __future__ import annotations

import torch
from torch.nn import functional

from orchestrator.engines.embeddings.packing import Packed
from orchestrator.errors import Code, OrchError


def pool(hidden: torch.Tensor, packed: Packed, modes: tuple[str, ...]) -> torch.Tensor:
    """Vectors [n, width x modes] of hidden states [T, width].

    Raises:
        OrchError: E103, a way of pooling that is not supported.
    """
    parts = [_pool(hidden, packed, mode) for mode in modes]
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)


def _pool(hidden: torch.Tensor, packed: Packed, mode: str) -> torch.Tensor:
    match mode:
        case "mean":
            return _mean(hidden, packed)
        case "cls":
            return hidden[packed.ends[:-1]]
        case "lasttoken":
            return hidden[packed.ends[1:] - 1]
        case "max":
            return _bags(hidden, packed, "max")
        case "mean_sqrt_len_tokens":
            return _mean(hidden, packed) * packed.lengths[:, None].sqrt()
        case "weightedmean":
            return _weighted_mean(hidden, packed)
        case _:
            raise OrchError.of(
                Code.MODEL_FAILED_TO_LOAD,
                f"The model pools by '{mode}', which is not supported.",
                fix="Use a model that pools by mean, cls, max or last token.",
            )


def _mean(hidden: torch.Tensor, packed: Packed) -> torch.Tensor:
    if packed.uniform:
        rows = hidden.view(-1, packed.longest, hidden.shape[-1])
        return rows.mean(1, dtype=torch.float32)
    return _bags(hidden, packed, "mean")


def _weighted_mean(hidden: torch.Tensor, packed: Packed) -> torch.Tensor:
    """Later tokens count more: the first 1, the second 2, and so on."""
    sums = packed.lengths * (packed.lengths + 1) / 2
    weights = (packed.position + 1) / sums[packed.sequence]
    return _bags(hidden, packed, "sum", weights.to(hidden.dtype))


def _bags(
    hidden: torch.Tensor,
    packed: Packed,
    mode: str,
    weights: torch.Tensor | None = None,
) -> torch.Tensor:
    """One kernel, sums in float32, and no float32 copy of the hidden states."""
    tokens = torch.arange(hidden.shape[0], dtype=torch.int32, device=hidden.device)
    return functional.embedding_bag(
        tokens, hidden, packed.ends[:-1], mode=mode, per_sample_weights=weights
    )
