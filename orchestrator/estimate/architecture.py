"""What of a model's `config.json` decides its memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.errors import Code, OrchError
from orchestrator.estimate.families import FAMILIES, Role, Style


@dataclass(frozen=True, slots=True)
class Architecture:
    """Numbers of one model.

    Attributes:
        style: Its family.
        model_type: The family's name.
        layers: How many there are.
        windowed: For every layer, whether it attends within `window` only.
        hidden: Width of the hidden states.
        heads: Query heads.
        kv_heads: Key and value heads.
        head_dim: Width of a head.
        intermediate: Width of the feed-forward, of one expert if there are any.
        vocab: Tokens known.
        longest: Tokens of the longest row.
        window: Tokens a windowed layer sees, an encoder's on each side; 0: all.
        experts: Of each layer; 0: none.
        experts_per_row: Experts that compute a token.
        rotary_dim: Numbers of a head that are rotated.
        act: The activation's name.
        tied: The output matrix is the embedding.
        patches: Tokens of an image, without the class token.
        pixels: Numbers of an image.
        prefix: Class and register tokens before the patches.
    """

    style: Style
    model_type: str
    layers: int
    windowed: tuple[bool, ...]
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    intermediate: int
    vocab: int
    longest: int
    window: int
    experts: int
    experts_per_row: int
    rotary_dim: int
    act: str
    tied: bool
    patches: int
    pixels: int
    prefix: int

    @property
    def kv_numbers(self) -> int:
        """Numbers of the KV cache of one token in one layer."""
        return 2 * self.kv_heads * self.head_dim


_NAMES: dict[str, tuple[str, ...]] = {
    "hidden": ("hidden_size", "dim", "n_embd", "d_model"),
    "layers": ("num_hidden_layers", "n_layers", "n_layer"),
    "heads": ("num_attention_heads", "n_heads", "n_head"),
    "kv_heads": ("num_key_value_heads",),
    "head_dim": ("head_dim",),
    "intermediate": ("intermediate_size", "hidden_dim", "n_inner"),
    "expert": ("moe_intermediate_size",),
    "vocab": ("vocab_size",),
    "longest": ("max_position_embeddings", "n_positions"),
    "experts": ("num_local_experts", "num_experts"),
    "per_row": ("num_experts_per_tok",),
    "ratio": ("mlp_ratio",),
    "image": ("image_size",),
    "patch": ("patch_size",),
    "channels": ("num_channels",),
}
_NO_CLASS_TOKEN = {"siglip_vision_model"}
_LONGEST_IF_UNKNOWN = 512
_MOST = 1 << 32
_MOST_LAYERS = 10_000


def read_architecture(
    config: Mapping[str, Any], model: str = "the model"
) -> Architecture:
    """Read a Hugging Face `config.json`.

    Raises:
        OrchError: E203, the family is not known, or a number is missing.
    """
    kind = str(config.get("model_type", ""))
    style = FAMILIES.get(kind)
    if style is None:
        raise _unknown(model, f"its architecture '{kind or 'not named'}' is not known")
    hidden, heads, layers = (
        _needed(config, name, model) for name in ("hidden", "heads", "layers")
    )
    inner = _number(config, "expert") or _number(config, "intermediate")
    head_dim = _number(config, "head_dim") or max(1, hidden // heads)
    window, windowed = _windows(config, kind, layers)
    patches, pixels = _image(config, style, model)
    return Architecture(
        style=style,
        model_type=kind,
        layers=layers,
        windowed=windowed,
        hidden=hidden,
        heads=heads,
        kv_heads=_number(config, "kv_heads") or heads,
        head_dim=head_dim,
        intermediate=inner or (_number(config, "ratio") or 4) * hidden,
        vocab=0 if style.role is Role.VISION else _needed(config, "vocab", model),
        longest=_number(config, "longest") or _LONGEST_IF_UNKNOWN,
        window=window,
        experts=_number(config, "experts") or 0,
        experts_per_row=_number(config, "per_row") or 0,
        rotary_dim=int(head_dim * _rotary_share(config, kind)),
        act=_activation(config, style),
        tied=bool(config.get("tie_word_embeddings", True)),
        patches=patches,
        pixels=pixels,
        prefix=0 if kind in _NO_CLASS_TOKEN else 1,
    )


def _number(config: Mapping[str, Any], name: str) -> int | None:
    """The first of its keys that is a positive whole number."""
    values = (_whole(config.get(key)) for key in _NAMES[name])
    return next((value for value in values if value), None)


def _whole(value: object, default: int = 0) -> int:
    """A whole number that a config can mean, not negative."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST:
        return value
    return default


def _needed(config: Mapping[str, Any], name: str, model: str) -> int:
    value = _number(config, name)
    if value is None or (name == "layers" and value > _MOST_LAYERS):
        raise _unknown(model, f"its config has no {_NAMES[name][0]} to reckon with")
    return value


def _windows(
    config: Mapping[str, Any], kind: str, layers: int
) -> tuple[int, tuple[bool, ...]]:
    """Tokens that windowed layers see, and which layers these are."""
    if kind == "modernbert":
        # Told as its whole width, of which half is on each side.
        window = _whole(config.get("local_attention"), 128) // 2
    else:
        window = _whole(config.get("sliding_window"))
    windowed = _named_windows(config, layers) or _usual_windows(config, kind, layers)
    if not window or not any(windowed):
        return 0, (False,) * layers
    return window, windowed


def _named_windows(config: Mapping[str, Any], layers: int) -> tuple[bool, ...]:
    named = config.get("layer_types")
    if not isinstance(named, list) or len(named) != layers:
        return ()
    return tuple("sliding" in str(name) for name in named)


def _usual_windows(
    config: Mapping[str, Any], kind: str, layers: int
) -> tuple[bool, ...]:
    match kind:
        case "modernbert":
            step = _whole(config.get("global_attn_every_n_layers")) or 3
            return tuple(i % step != 0 for i in range(layers))
        case "gemma3_text":
            step = _whole(config.get("sliding_window_pattern")) or 6
            return tuple((i + 1) % step != 0 for i in range(layers))
        case "mistral" | "mixtral" | "phi3":
            return (True,) * layers
        case _:
            used = config.get("use_sliding_window") is True
            first = _whole(config.get("max_window_layers")) if used else layers
            return tuple(i >= first for i in range(layers))


def _image(config: Mapping[str, Any], style: Style, model: str) -> tuple[int, int]:
    if style.role is not Role.VISION:
        return 0, 0
    side, patch = _needed(config, "image", model), _needed(config, "patch", model)
    channels = _number(config, "channels") or 3
    return (side // patch) ** 2, channels * side * side


def _rotary_share(config: Mapping[str, Any], kind: str) -> float:
    nested = config.get("rope_parameters") or config.get("rope_scaling")
    found = [config.get("partial_rotary_factor"), config.get("rotary_pct")]
    if isinstance(nested, Mapping):
        found.append(nested.get("partial_rotary_factor"))
    shares = (x for x in found if isinstance(x, (int, float)) and 0 < x <= 1)
    return float(next(shares, 0.25 if kind == "gpt_neox" else 1.0))


def _activation(config: Mapping[str, Any], style: Style) -> str:
    for key in ("hidden_act", "hidden_activation", "activation_function", "activation"):
        if isinstance(config.get(key), str):
            return str(config[key])
    return style.act


def _unknown(model: str, why: str) -> OrchError:
    return OrchError.of(
        Code.BAD_VALUE,
        f"the memory that {model} needs cannot be estimated: {why}",
        facts=(f"known are: {', '.join(sorted(FAMILIES))}",),
        fix="set resources.gpu_memory to what one copy takes, for example 4GiB",
    )
