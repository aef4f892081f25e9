"""What a planner of shards asks of a model: plain integers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.estimate.architecture import read_architecture
from orchestrator.estimate.base import DTYPE_BYTES
from orchestrator.estimate.loaded import loaded_weights


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """How a model can be cut.

    Attributes:
        weights_bytes: All weights.
        layer_bytes: Weights of each layer, first to last; they add up with
            `outer_bytes` to all.
        outer_bytes: Weights outside the layers: embeddings, last norm, head.
        heads: Query heads; tensor parallelism divides them.
        kv_heads: Key and value heads; it divides or copies them.
        hidden: Width of what one layer hands to the next.
        kv_bytes_per_token: KV cache of one token in one layer.
    """

    weights_bytes: int
    layer_bytes: tuple[int, ...]
    outer_bytes: int
    heads: int
    kv_heads: int
    hidden: int
    kv_bytes_per_token: int


def model_facts(
    config: Mapping[str, Any],
    header: Mapping[str, Any],
    dtype: str,
    *,
    model: str = "the model",
) -> ModelFacts:
    """Read them from a `config.json` and the headers of all weight files.

    Where the weights' names tell no layers, every layer gets an equal share.

    Raises:
        OrchError: E103, a header is damaged; E203, the architecture is not known.
    """
    arch = read_architecture(config, model)
    loaded = loaded_weights(header, config, dtype, body_only=False)
    layers = loaded.layer_bytes
    if len(layers) != arch.layers:
        layers = (loaded.total_bytes // arch.layers,) * arch.layers
    return ModelFacts(
        weights_bytes=loaded.total_bytes,
        layer_bytes=layers,
        outer_bytes=loaded.total_bytes - sum(layers),
        heads=arch.heads,
        kv_heads=arch.kv_heads,
        hidden=arch.hidden,
        kv_bytes_per_token=arch.kv_numbers * DTYPE_BYTES[dtype],
    )
