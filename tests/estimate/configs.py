"""Configs and headers of small models, as they stand in their folders."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

BERT: dict[str, Any] = {
    "model_type": "bert",
    "vocab_size": 1000,
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 256,
}
LLAMA: dict[str, Any] = {
    **BERT,
    "model_type": "llama",
    "num_key_value_heads": 2,
    "tie_word_embeddings": False,
}
VIT: dict[str, Any] = {
    "model_type": "vit",
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 256,
    "image_size": 32,
    "patch_size": 8,
}
LLAMA_8B: dict[str, Any] = {
    "model_type": "llama",
    "vocab_size": 128_256,
    "hidden_size": 4096,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "intermediate_size": 14_336,
    "tie_word_embeddings": False,
}


def header(tensors: Mapping[str, tuple[str, list[int]]]) -> dict[str, Any]:
    """A safetensors header of these tensors."""
    return {
        name: {"dtype": dtype, "shape": shape}
        for name, (dtype, shape) in tensors.items()
    }


def llama_header(config: Mapping[str, Any]) -> dict[str, Any]:
    """What the files of a Llama of this shape hold."""
    hidden, inner = config["hidden_size"], config["intermediate_size"]
    kv = hidden // config["num_attention_heads"] * config["num_key_value_heads"]
    tensors = {"model.embed_tokens.weight": ("BF16", [config["vocab_size"], hidden])}
    for i in range(config["num_hidden_layers"]):
        start = f"model.layers.{i}"
        tensors |= {
            f"{start}.self_attn.q_proj.weight": ("BF16", [hidden, hidden]),
            f"{start}.self_attn.k_proj.weight": ("BF16", [kv, hidden]),
            f"{start}.self_attn.v_proj.weight": ("BF16", [kv, hidden]),
            f"{start}.self_attn.o_proj.weight": ("BF16", [hidden, hidden]),
            f"{start}.mlp.gate_proj.weight": ("BF16", [inner, hidden]),
            f"{start}.mlp.up_proj.weight": ("BF16", [inner, hidden]),
            f"{start}.mlp.down_proj.weight": ("BF16", [hidden, inner]),
            f"{start}.input_layernorm.weight": ("BF16", [hidden]),
            f"{start}.post_attention_layernorm.weight": ("BF16", [hidden]),
        }
    tensors["model.norm.weight"] = ("BF16", [hidden])
    tensors["lm_head.weight"] = ("BF16", [config["vocab_size"], hidden])
    return header(tensors)
