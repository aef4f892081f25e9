"""The families of models whose forward pass is known."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What goes in and comes out."""

    ENCODER = "encoder"
    DECODER = "decoder"
    VISION = "vision"


@dataclass(frozen=True, slots=True)
class Style:
    """How a family computes; in words of norms.py, rotary.py, feed_forward.py.

    Attributes:
        role: What the family is for.
        norm: `layer`, `rms` or `gemma`.
        order: Where the norms stand: `pre`, `post`, `sandwich` or `parallel`.
        fused: Query, key and value are one product.
        rotary: `none`, `plain`, `partial` or `float32`.
        norm_heads: Query and key are normalised by head: ``, `at once` or `after`.
        mlp: `plain`, `gated`, `gated_fused` or `experts`.
        act: The activation where the config names none.
        keeps: Attention's output lives until the layer ends.
        scaled: Every branch is multiplied by a learned scale.
        float32_routes: Experts' results are weighted in float32.
        scores: Attention is no fused kernel: all its scores are kept for a while,
            and a bias of their size for the whole pass.
    """

    role: Role
    norm: str = "layer"
    order: str = "pre"
    fused: bool = False
    rotary: str = "none"
    norm_heads: str = ""
    mlp: str = "plain"
    act: str = "gelu"
    keeps: bool = False
    scaled: bool = False
    float32_routes: bool = False
    scores: bool = False


_BERT = Style(Role.ENCODER, order="post")
_LLAMA = Style(Role.DECODER, norm="rms", rotary="plain", mlp="gated", act="silu")
_QWEN3 = Style(
    Role.DECODER,
    norm="rms",
    rotary="plain",
    norm_heads="at once",
    mlp="gated",
    act="silu",
)
_VIT = Style(Role.VISION)
FAMILIES: dict[str, Style] = {
    **dict.fromkeys(
        ("bert", "roberta", "xlm-roberta", "camembert", "electra", "distilbert"), _BERT
    ),
    "albert": Style(Role.ENCODER, order="post", act="gelu_new"),
    "mpnet": Style(Role.ENCODER, order="post", scores=True),
    "modernbert": Style(
        Role.ENCODER, fused=True, rotary="float32", mlp="gated_fused", keeps=True
    ),
    **dict.fromkeys(("llama", "mistral", "qwen2"), _LLAMA),
    "qwen3": _QWEN3,
    "gemma3_text": Style(
        Role.DECODER,
        norm="gemma",
        order="sandwich",
        rotary="plain",
        norm_heads="after",
        mlp="gated",
        act="gelu_pytorch_tanh",
    ),
    "phi3": Style(
        Role.DECODER,
        norm="rms",
        fused=True,
        rotary="partial",
        mlp="gated_fused",
        act="silu",
    ),
    "gpt2": Style(Role.DECODER, fused=True, act="gelu_new", keeps=True),
    "gpt_neox": Style(Role.DECODER, order="parallel", fused=True, rotary="partial"),
    "mixtral": Style(
        Role.DECODER,
        norm="rms",
        rotary="plain",
        mlp="experts",
        act="silu",
        float32_routes=True,
    ),
    "qwen3_moe": Style(
        Role.DECODER,
        norm="rms",
        rotary="plain",
        norm_heads="at once",
        mlp="experts",
        act="silu",
    ),
    **dict.fromkeys(("vit", "deit", "siglip_vision_model"), _VIT),
    "clip_vision_model": Style(Role.VISION, act="quick_gelu"),
    "dinov2": Style(Role.VISION, scaled=True, keeps=True),
}
