"""The tensors that a model has once it is loaded, from its safetensors headers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.estimate.weights import weights_from_header

_LAYER = re.compile(r"(?:^|\.)(?:layers?|h|blocks?)\.(\d+)\.")
_OUTPUTS = ("lm_head.weight", "embed_out.weight")
_EMBEDDINGS = ("embed_tokens.weight", "wte.weight", "word_embeddings.weight")
_BODIES = (
    *("bert.", "roberta.", "distilbert.", "electra.", "model.", "transformer."),
    *("gpt_neox.", "vit.", "deit.", "dinov2.", "vision_model.", "mpnet."),
)
# Scales of quantised weights stay as they are, whatever the dtype of the run:
# GPTQ and AWQ `scales`, FP8 and compressed-tensors `weight_scale`, bitsandbytes.
_KEPT = (
    *(".scales", "_scale", "_scale_inv", ".absmax", ".nested_absmax"),
    *(".quant_map", ".nested_quant_map"),
)


@dataclass(frozen=True, slots=True)
class LoadedWeights:
    """Bytes of every tensor, in the order of the files.

    Attributes:
        sizes_bytes: Of each tensor.
        layer_bytes: Of each layer; shorter if the names tell no layers.
    """

    sizes_bytes: tuple[int, ...]
    layer_bytes: tuple[int, ...]

    @property
    def total_bytes(self) -> int:
        """All tensors together."""
        return sum(self.sizes_bytes)


def loaded_weights(
    header: Mapping[str, Any],
    config: Mapping[str, Any],
    dtype: str,
    *,
    body_only: bool,
) -> LoadedWeights:
    """What of the files is loaded, and how large it then is.

    Floats turn into the dtype of the run; integers and quantised weights (GPTQ, AWQ,
    bitsandbytes, FP8, compressed-tensors) stay as they are stored, and so do their
    scales. An output matrix that is the embedding counts once.

    Args:
        header: The headers of all files, joined.
        config: The model's `config.json`.
        dtype: `float32`, `float16` or `bfloat16`.
        body_only: Without its heads, as `AutoModel` loads it.

    Raises:
        OrchError: E103, an entry is not a tensor that is known.
    """
    entries = {k: v for k, v in header.items() if k != "__metadata__"}
    if body_only:
        entries = _body(entries)
    if config.get("tie_word_embeddings"):
        entries = _tied(entries)
    quantised = "quantization_config" in config
    sizes = {k: _bytes(k, v, dtype, quantised=quantised) for k, v in entries.items()}
    return LoadedWeights(tuple(sizes.values()), _by_layer(sizes))


def _body(entries: dict[str, Any]) -> dict[str, Any]:
    """Only what stands under the body's name, if the embeddings do."""
    for prefix in _BODIES:
        inner = {k: v for k, v in entries.items() if k.startswith(prefix)}
        if any("embed" in name or ".wte." in name for name in inner):
            return inner
    return entries


def _tied(entries: dict[str, Any]) -> dict[str, Any]:
    if not any(name.endswith(_EMBEDDINGS) for name in entries):
        return entries
    return {k: v for k, v in entries.items() if not k.endswith(_OUTPUTS)}


def _bytes(name: str, entry: object, dtype: str, *, quantised: bool) -> int:
    info = weights_from_header({name: entry})
    if quantised and name.endswith(_KEPT) and isinstance(entry, Mapping):
        return info.parameters * _SCALE_BYTES[entry["dtype"]] + info.other_bytes
    return info.bytes_as(dtype)


_SCALE_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}


def _by_layer(sizes: Mapping[str, int]) -> tuple[int, ...]:
    layers: dict[int, int] = {}
    for name, size in sizes.items():
        if found := _LAYER.search(name):
            layers[int(found[1])] = layers.get(int(found[1]), 0) + size
    return tuple(layers[i] for i in sorted(layers))
