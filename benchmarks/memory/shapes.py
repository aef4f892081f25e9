"""The models that are measured: shapes of known ones, random weights."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
import transformers


@dataclass(frozen=True, slots=True)
class ModelShape:
    """A transformers model by the names of its classes and its config."""

    model: str
    config: str
    numbers: dict[str, Any] = field(hash=False)

    def built(self, dtype: torch.dtype, device: str) -> torch.nn.Module:
        """The model on its device; `meta` costs nothing."""
        before = torch.get_default_dtype()
        torch.set_default_dtype(dtype)
        try:
            with torch.device(device):
                made = getattr(transformers, self.model)(self.read())
        finally:
            torch.set_default_dtype(before)
        module: torch.nn.Module = made.eval().requires_grad_(requires_grad=False)
        return module

    def read(self) -> Any:  # noqa: ANN401 - each model has its own type
        """Its transformers config."""
        return getattr(transformers, self.config)(**self.numbers)


def header(module: torch.nn.Module) -> dict[str, dict[str, Any]]:
    """What the safetensors header of its weights would say."""
    names = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16"}
    names |= {torch.int64: "I64", torch.bool: "BOOL"}
    return {
        name: {"dtype": names[tensor.dtype], "shape": list(tensor.shape)}
        for name, tensor in module.named_parameters()
    }


_TOKENS: dict[str, Any] = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}


def _text(kind: str, head: str, sizes: tuple[int, ...], **more: object) -> ModelShape:
    vocab, hidden, layers, heads, inner = sizes
    numbers = {
        "vocab_size": vocab,
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "intermediate_size": inner,
    }
    return ModelShape(
        f"{kind}{head}",
        f"{kind}TextConfig" if kind == "Gemma3" else f"{kind}Config",
        _TOKENS | numbers | more,
    )


def _vision(kind: str, sizes: tuple[int, ...], **more: object) -> ModelShape:
    hidden, layers, heads, inner, image, patch = sizes
    numbers = {
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "intermediate_size": inner,
        "image_size": image,
        "patch_size": patch,
    }
    return ModelShape(f"{kind}Model", f"{kind}Config", numbers | more)


_SPECIAL = {"cls_token_id": 1, "sep_token_id": 2}
_LM = "ForCausalLM"
SHAPES: dict[str, ModelShape] = {
    "minilm": _text("Bert", "Model", (30522, 384, 6, 12, 1536)),
    "bert-base": _text("Bert", "Model", (30522, 768, 12, 12, 3072)),
    "bert-large": _text("Bert", "Model", (30522, 1024, 24, 16, 4096)),
    "xlm-roberta": _text("XLMRoberta", "Model", (250002, 768, 12, 12, 3072)),
    "distilbert": ModelShape("DistilBertModel", "DistilBertConfig", {}),
    "albert": _text("Albert", "Model", (30000, 768, 12, 12, 3072)),
    "mpnet": _text("MPNet", "Model", (30527, 768, 12, 12, 3072)),
    "modernbert": _text("ModernBert", "Model", (50368, 768, 22, 12, 1152), **_SPECIAL),
    "gpt2": ModelShape(
        "GPT2LMHeadModel",
        "GPT2Config",
        {"n_embd": 1024, "n_layer": 24, "n_head": 16},
    ),
    "pythia": _text("GPTNeoX", _LM, (50304, 1024, 24, 16, 4096), rotary_pct=0.25),
    "llama-mha": _text("Llama", _LM, (32000, 2048, 16, 16, 5504)),
    "llama-1b": _text(
        "Llama", _LM, (128256, 2048, 16, 32, 8192), num_key_value_heads=8
    ),
    "qwen3": _text(
        "Qwen3",
        _LM,
        (151936, 1024, 28, 16, 3072),
        num_key_value_heads=8,
        head_dim=128,
        tie_word_embeddings=True,
    ),
    "mistral": _text(
        "Mistral",
        _LM,
        (32000, 2048, 12, 16, 7168),
        num_key_value_heads=4,
        sliding_window=1024,
    ),
    "gemma3": _text(
        "Gemma3",
        _LM,
        (262144, 1152, 26, 4, 6912),
        num_key_value_heads=1,
        head_dim=256,
        sliding_window=512,
    ),
    "phi3": _text("Phi3", _LM, (32064, 3072, 8, 32, 8192)),
    "mixtral": _text(
        "Mixtral",
        _LM,
        (32000, 1024, 8, 16, 3584),
        num_key_value_heads=8,
        num_local_experts=8,
    ),
    "qwen3-moe": _text(
        "Qwen3Moe",
        _LM,
        (151936, 2048, 6, 32, 6144),
        num_key_value_heads=4,
        head_dim=128,
        num_experts=64,
        num_experts_per_tok=8,
        moe_intermediate_size=768,
    ),
    "vit": _vision("ViT", (768, 12, 12, 3072, 224, 16)),
    "clip": _vision("CLIPVision", (1024, 24, 16, 4096, 224, 14)),
    "siglip": _vision("SiglipVision", (1152, 27, 16, 4304, 384, 14)),
    "dinov2": _vision("Dinov2", (1024, 24, 16, 4096, 518, 14), mlp_ratio=4),
}


def small(shape: ModelShape, layers: int, part: int) -> ModelShape:
    """The same model with fewer layers, a part of its width and few tokens known."""
    numbers = dict(shape.read().to_dict())
    numbers = {k: v for k, v in numbers.items() if k not in _DERIVED}
    for name in ("num_hidden_layers", "n_layers", "n_layer"):
        if name in numbers:
            numbers[name] = layers
    for name in _WIDTHS:
        if isinstance(numbers.get(name), int):
            numbers[name] = max(8, numbers[name] // part)
    if "vocab_size" in numbers:
        numbers["vocab_size"] = min(numbers["vocab_size"], 2048)
    return ModelShape(shape.model, shape.config, numbers)


_DERIVED = {"layer_types", "dtype", "out_features", "out_indices", "stage_names"}
_WIDTHS = (
    *("hidden_size", "intermediate_size", "dim", "hidden_dim", "n_embd"),
    *("head_dim", "moe_intermediate_size", "image_size"),
)
