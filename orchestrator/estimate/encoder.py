"""Memory of a text encoder: BERT, RoBERTa, MiniLM, ModernBERT and their like."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.errors import Code, OrchError
from orchestrator.estimate.base import (
    DTYPE_BYTES,
    Estimate,
    Platform,
    gpu_memory_too_small,
    platform,
)
from orchestrator.estimate.unknown import set_by_user
from orchestrator.estimate.weights import WeightsInfo

_HIDDEN = ("hidden_size", "dim", "d_model", "n_embd")
_INTERMEDIATE = ("intermediate_size", "hidden_dim", "d_ff", "n_inner")
_LONGEST = ("max_position_embeddings", "n_positions")
_DEFAULT_LONGEST = 512
# Their feed-forward is one matrix up, one down. Any other may have a gate beside it.
_PLAIN = {
    *("bert", "roberta", "xlm-roberta", "camembert", "distilbert", "mpnet"),
    *("electra", "albert"),
}
_INPUT_BYTES_PER_TOKEN = 64
_BUDGET_STEP = 256


@dataclass(frozen=True, slots=True)
class Shape:
    """What of a model's config decides its activations."""

    hidden: int
    intermediate: int
    longest: int
    """Tokens of the longest row it takes."""
    gated: bool


def shape_of(config: Mapping[str, Any], model: str = "the model") -> Shape:
    """Read a Hugging Face `config.json`.

    Raises:
        OrchError: E203, it does not say how wide the model is.
    """
    hidden = _first(config, _HIDDEN)
    if hidden is None:
        raise _unknown(config, model)
    return Shape(
        hidden=hidden,
        intermediate=_first(config, _INTERMEDIATE) or 4 * hidden,
        longest=_first(config, _LONGEST) or _DEFAULT_LONGEST,
        gated=config.get("model_type") not in _PLAIN,
    )


def activation_bytes(shape: Shape, tokens: int, dtype: str, place: Platform) -> int:
    """Most memory a batch of `tokens` takes beside the weights, without gradients.

    Per token, in numbers of the run's dtype, with hidden size H and feed-forward
    size I (layers run one after the other, so only the widest moment counts):

        attention       6 H        residual, input, Q, K, V, output
        feed-forward    2 H + 2 I  residual, input, before and after the activation
                        2 H + 3 I  with a gate

    `bytes = slack * tokens * (max(6 H, 2 H + k I) * size + 64) + workspace`, where 64
    bytes are ids, positions and mask of two batches. Attention is counted as fused
    (flash or sdpa): no scores of length squared are kept. Slack and workspace are the
    platform's; on CUDA the tokens are packed, on a CPU they include padding.
    """
    forward = (3 if shape.gated else 2) * shape.intermediate
    widest = max(6 * shape.hidden, 2 * shape.hidden + forward)
    per_token = widest * DTYPE_BYTES[dtype] + _INPUT_BYTES_PER_TOKEN
    return tokens * per_token * place.slack_percent // 100 + place.workspace_bytes


def estimate_encoder(
    config: Mapping[str, Any],
    weights: WeightsInfo,
    *,
    dtype: str,
    kind: str,
    max_length: int | None = None,
    memory_bytes: int | None = None,
    gpu_memory: int | None = None,
    model: str = "the model",
) -> Estimate:
    """Estimate one replica of a text encoder.

    Args:
        config: The model's `config.json`.
        weights: What its files hold.
        dtype: `float32`, `float16` or `bfloat16`: the dtype of the run.
        kind: A `DeviceKind`.
        max_length: The job's limit of tokens a row.
        memory_bytes: What the smallest GPU can give; batches shrink to fit it, down
            to one row of the longest.
        gpu_memory: What the user sets aside in all; the rest beside weights and
            context goes to activations, and batches follow it.
        model: Its name in messages.

    Raises:
        OrchError: E203, the config does not say how wide the model is and there is
            no `gpu_memory`, or `gpu_memory` cannot hold one row.
    """
    place = platform(kind)
    weights_bytes = weights.bytes_as(dtype)
    fixed = weights_bytes + place.context_bytes
    if gpu_memory is not None and _first(config, _HIDDEN) is None:
        return set_by_user(gpu_memory, kind, weights_bytes=weights_bytes)
    shape = shape_of(config, model)
    limit = memory_bytes if gpu_memory is None else gpu_memory
    room = None if limit is None else limit - fixed
    budget = _budget(shape, max_length, dtype, place, room)
    needed = activation_bytes(shape, budget, dtype, place)
    if gpu_memory is None:
        return Estimate(weights_bytes, needed, place.context_bytes, budget)
    if fixed + needed > gpu_memory:
        raise gpu_memory_too_small(gpu_memory, fixed + needed)
    return set_by_user(
        gpu_memory, kind, weights_bytes=weights_bytes, budget_tokens=budget
    )


def _budget(
    shape: Shape,
    max_length: int | None,
    dtype: str,
    place: Platform,
    room: int | None,
) -> int:
    longest = min(max_length or shape.longest, shape.longest)
    aim = max(place.aim_tokens, longest)
    if room is None or activation_bytes(shape, aim, dtype, place) <= room:
        return aim
    step_bytes = activation_bytes(shape, _BUDGET_STEP, dtype, place)
    per_step = step_bytes - place.workspace_bytes
    steps = max(0, room - place.workspace_bytes) // per_step
    return max(longest, steps * _BUDGET_STEP)


def _first(config: Mapping[str, Any], names: tuple[str, ...]) -> int | None:
    """The first of these keys that is a positive whole number."""
    for name in names:
        value = config.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            return value
    return None


def _unknown(config: Mapping[str, Any], model: str) -> OrchError:
    kind = config.get("model_type", "not named")
    return OrchError.of(
        Code.BAD_VALUE,
        f"the memory that {model} needs cannot be estimated: "
        f"its config has no hidden_size (model_type: {kind})",
        fix="set resources.gpu_memory to what one copy takes, for example 4GiB",
    )
