"""Memory of a whole model at work: encoders, decoders, vision encoders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from orchestrator.estimate.allocator import least_bytes, reserved_bytes
from orchestrator.estimate.architecture import Architecture, read_architecture
from orchestrator.estimate.base import DTYPE_BYTES, Estimate, platform
from orchestrator.estimate.families import Role
from orchestrator.estimate.forward import forward
from orchestrator.estimate.gpus import GpuConstants, gpu_constants
from orchestrator.estimate.kv_cache import kv_cache_bytes
from orchestrator.estimate.loaded import LoadedWeights, loaded_weights
from orchestrator.estimate.passes import Pass
from orchestrator.estimate.tape import Tape


class Logits(StrEnum):
    """Which tokens a decoder's logits are computed of."""

    NONE = "none"
    LAST = "last"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Shape:
    """How large the work is that goes through the model at once.

    Attributes:
        batch: Rows, or images.
        length: Tokens of each row; the patches decide it for images.
        context: Tokens a row may have once it is answered, prompt included, whose
            keys and values are kept; 0: nothing is generated.
        logits: Of which tokens a decoder computes them; generating needs the last.
        packed: Rows stand one behind the other without padding, as the embeddings
            engine runs them on a GPU; query, key and value are one product.
    """

    batch: int
    length: int = 1
    context: int = 0
    logits: Logits = Logits.NONE
    packed: bool = False

    @property
    def tokens(self) -> int:
        """Tokens in all rows."""
        return self.batch * self.length


def shape_from_json(data: Mapping[str, Any] | None) -> Shape | None:
    """A shape from the JSON that `dataclasses.asdict` makes of it."""
    if data is None:
        return None
    return Shape(**{**data, "logits": Logits(data.get("logits", Logits.NONE))})


@dataclass(frozen=True, slots=True)
class _Run:
    """A model ready to be reckoned: its tapes and what they stand for."""

    weights: LoadedWeights
    body: Tape
    """Without logits."""
    whole: Tape
    kv_bytes: int
    ahead_bytes: int
    """Of the cache, what a pass over the rows does not yet take."""


def estimate_model(
    config: Mapping[str, Any],
    header: Mapping[str, Any],
    shape: Shape,
    *,
    dtype: str,
    kind: str,
    gpu_model: str = "",
    model: str = "the model",
) -> Estimate:
    """Estimate one replica, part by part; the parts add up to what is reserved.

    A forward pass in inference is written down operation by operation, with every
    tensor that is alive meanwhile; `activations` is its widest moment without the
    cache, `logits` what computing these adds to that. On a GPU the same tape is
    played to a model of PyTorch's caching allocator, twice, as in a loop over
    batches: `slack` is what it reserves beyond. A context longer than the rows is
    counted as if set aside at once.

    Args:
        config: The model's `config.json`.
        header: The headers of all its safetensors files, joined.
        shape: The largest batch.
        dtype: `float32`, `float16` or `bfloat16`.
        kind: A `DeviceKind`.
        gpu_model: The GPU's name as NVML gives it; empty: not known.
        model: Its name in messages.

    Raises:
        OrchError: E103, a header is damaged; E203, the architecture is not known:
            the message asks for `resources.gpu_memory`, nothing is guessed.
    """
    run = _run(config, header, shape, dtype=dtype, model=model, cuda=kind == "cuda")
    body, whole = run.body.peak_bytes(), run.whole.peak_bytes()
    parts = Estimate(
        weights_bytes=run.weights.total_bytes,
        activation_bytes=body + run.ahead_bytes - run.kv_bytes,
        context_bytes=platform(kind).context_bytes,
        budget_tokens=shape.tokens,
        kv_cache_bytes=run.kv_bytes,
        logits_bytes=whole - body,
    )
    if kind != "cuda":
        more = body * (platform(kind).slack_percent - 100) // 100
        return replace(parts, slack_bytes=more)
    constants = gpu_constants(gpu_model)
    parts = replace(
        parts,
        context_bytes=constants.context_bytes,
        workspace_bytes=constants.workspace_bytes,
    )
    return parts.with_total(
        constants.context_bytes + reserved_bytes(*_tapes(run, constants))
    )


def least_gpu_memory(
    config: Mapping[str, Any],
    header: Mapping[str, Any],
    shape: Shape,
    *,
    dtype: str,
    gpu_model: str = "",
    model: str = "the model",
) -> int:
    """The least a GPU must give it, to 2 MiB: with less it runs out of memory.

    Below `estimate_model` by what the allocator gives back to CUDA when it must.

    Raises:
        OrchError: As `estimate_model`.
    """
    run = _run(config, header, shape, dtype=dtype, model=model, cuda=True)
    constants = gpu_constants(gpu_model)
    return constants.context_bytes + least_bytes(*_tapes(run, constants))


def _run(
    config: Mapping[str, Any],
    header: Mapping[str, Any],
    shape: Shape,
    *,
    dtype: str,
    model: str,
    cuda: bool,
) -> _Run:
    arch, size = read_architecture(config, model), DTYPE_BYTES[dtype]
    whole, body = _pass(arch, shape, size, cuda=cuda), None
    forward(whole, _logits_rows(arch, shape))
    if _logits_rows(arch, shape):
        body = _pass(arch, shape, size, cuda=cuda)
        forward(body)
    kept = shape.tokens * arch.kv_numbers * arch.layers * size if whole.cache else 0
    longest = max(shape.length, shape.context)
    kv_bytes = kv_cache_bytes(arch, shape.batch, longest, size) if whole.cache else 0
    return _Run(
        weights=loaded_weights(
            header, config, dtype, body_only=shape.logits is Logits.NONE
        ),
        body=(body or whole).tape,
        whole=whole.tape,
        kv_bytes=kv_bytes,
        ahead_bytes=max(0, kv_bytes - kept),
    )


def _pass(arch: Architecture, shape: Shape, size: int, *, cuda: bool) -> Pass:
    rows, length = shape.batch, shape.length
    # The engine pads the rows of models whose attention is no kernel of its own.
    packed = shape.packed and not arch.style.scores
    if arch.style.role is Role.VISION:
        length = arch.patches + arch.prefix
    elif packed:
        rows, length = 1, shape.tokens
    return Pass(
        arch,
        rows,
        length,
        size,
        cuda,
        packed=packed,
        cache=arch.style.role is Role.DECODER and shape.context > 0,
    )


def _logits_rows(arch: Architecture, shape: Shape) -> int:
    if arch.style.role is not Role.DECODER:
        return 0
    match shape.logits:
        case Logits.NONE:
            return 0
        case Logits.LAST:
            return shape.batch
        case Logits.ALL:
            return shape.tokens


def _tapes(run: _Run, constants: GpuConstants) -> tuple[Tape, ...]:
    """Weights and what stays, then two batches."""
    stays = Tape()
    for size in (*run.weights.sizes_bytes, constants.workspace_bytes, run.ahead_bytes):
        stays.new(size)
    return stays, run.whole, run.whole
