"""A model of many GiB that takes none on disk: its weights are a hole in a file."""

from __future__ import annotations

import json
import struct
from math import prod
from pathlib import Path

_VOCAB = 32_000
_FLOAT16_BYTES = 2


def big_model(
    folder: Path, *, layers: int, hidden: int = 4096, heads: int = 32
) -> None:
    """Write a llama; of 4,096 numbers a layer takes 0.41 GiB in float16."""
    folder.mkdir()
    config = {
        "model_type": "llama",
        "architectures": ["LlamaModel"],
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": 8,
        "intermediate_size": 4 * hidden,
        "vocab_size": _VOCAB,
        "max_position_embeddings": 2048,
        "hidden_act": "silu",
    }
    (folder / "config.json").write_text(json.dumps(config))
    header: dict[str, object] = {}
    end = 0
    for name, shape in _shapes(layers, hidden).items():
        begin, end = end, end + prod(shape) * _FLOAT16_BYTES
        offsets = [begin, end]
        header[name] = {"dtype": "F16", "shape": shape, "data_offsets": offsets}
    text = json.dumps(header).encode()
    with (folder / "model.safetensors").open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(file.tell() + end)


def _shapes(layers: int, hidden: int) -> dict[str, list[int]]:
    shapes = {"embed_tokens.weight": [_VOCAB, hidden], "norm.weight": [hidden]}
    for layer in range(layers):
        at = f"layers.{layer}"
        for name in ("q_proj", "o_proj"):
            shapes[f"{at}.self_attn.{name}.weight"] = [hidden, hidden]
        for name in ("k_proj", "v_proj"):
            shapes[f"{at}.self_attn.{name}.weight"] = [hidden // 4, hidden]
        for name in ("gate_proj", "up_proj"):
            shapes[f"{at}.mlp.{name}.weight"] = [4 * hidden, hidden]
        shapes[f"{at}.mlp.down_proj.weight"] = [hidden, 4 * hidden]
    return shapes
