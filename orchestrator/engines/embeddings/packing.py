"""Sequences packed one behind the other: their index arithmetic and attention.

Without padding, the linear layers compute nothing in vain, whatever the mix of
lengths. Only attention must know where a sequence ends; transformers calls ours
through its table of attention functions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from torch.nn import functional
from transformers import AttentionInterface

from orchestrator.engines.embeddings.batches import TokenBatch
from orchestrator.engines.transfer import to_device

PACKED = "orch_packed"
"""The name of our attention in the models' configuration."""


@dataclass(frozen=True, slots=True)
class Packed:
    """A batch on the GPU: T tokens of n sequences, and where each belongs.

    Attributes:
        ids: Tokens, int64 [T].
        ends: Where sequences start and end, int32 [n + 1], from 0 to T.
        sequence: For every token its sequence, int64 [T].
        position: For every token its place in its sequence, int64 [T].
        lengths: int64 [n].
        longest: Tokens of the longest sequence.
        uniform: Whether all sequences have that length.
    """

    ids: torch.Tensor
    ends: torch.Tensor
    sequence: torch.Tensor
    position: torch.Tensor
    lengths: torch.Tensor
    longest: int
    uniform: bool


@dataclass(frozen=True, slots=True)
class Shape:
    """How attention is to be computed.

    Attributes:
        scale: Factor of the scores.
        causal: Whether a token sees only those before it.
        window: How many neighbours on each side a token sees; -1: all.
    """

    scale: float | None
    causal: bool
    window: int


Kernel: TypeAlias = Callable[
    [torch.Tensor, torch.Tensor, torch.Tensor, Packed, Shape], torch.Tensor
]
"""Attention over packed query, key and value, each [T, heads, width]."""

_batch: ContextVar[tuple[Packed, Kernel]] = ContextVar("batch")


def pack(batch: TokenBatch, device: torch.device) -> Packed:
    """Copy a batch to the GPU, in one piece, and lay it out there."""
    total, count = batch.ids.size, batch.lengths.size
    longest = int(batch.lengths.max())
    moved = to_device(np.concatenate((batch.ids, batch.lengths)), device)
    lengths = moved[total:].long()
    ends = torch.zeros(count + 1, dtype=torch.int32, device=device)
    ends[1:] = lengths.cumsum(0)
    sequence = torch.repeat_interleave(lengths, output_size=total)
    position = torch.arange(total, device=device) - ends[sequence]
    return Packed(
        ids=moved[:total].long(),
        ends=ends,
        sequence=sequence,
        position=position,
        lengths=lengths,
        longest=longest,
        uniform=total == longest * count,
    )


@contextmanager
def attending(packed: Packed, kernel: Kernel) -> Iterator[None]:
    """Within it, attention of models set to `PACKED` keeps to these sequences."""
    token = _batch.set((packed, kernel))
    try:
        yield
    finally:
        _batch.reset(token)


def flash(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    packed: Packed,
    shape: Shape,
) -> torch.Tensor:
    """Flash attention over sequences of any length; half precision on CUDA only.

    torch's operator itself: its wrapper varlen_attn launches another kernel per call.
    """
    output: torch.Tensor = torch.ops.aten._flash_attention_forward(  # noqa: SLF001
        query,
        key,
        value,
        packed.ends,
        packed.ends,
        packed.longest,
        packed.longest,
        0.0,
        shape.causal,
        False,  # noqa: FBT003 - the operator takes it by position only
        scale=shape.scale,
        window_size_left=shape.window,
        window_size_right=0 if shape.causal else shape.window,
    )[0]
    return output


def blockwise(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    packed: Packed,
    shape: Shape,
) -> torch.Tensor:
    """The same with a [T, T] mask: slow, on any device, to check the fast one."""
    same = packed.sequence[:, None] == packed.sequence[None, :]
    distance = packed.position[:, None] - packed.position[None, :]
    if shape.causal:
        same = same & (distance >= 0)
    if shape.window >= 0:
        same = same & (distance.abs() <= shape.window)
    output = functional.scaled_dot_product_attention(
        query.transpose(0, 1),
        key.transpose(0, 1),
        value.transpose(0, 1),
        attn_mask=same,
        scale=shape.scale,
    )
    return output.transpose(0, 1)


def _rectangular(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    packed: Packed,
    shape: Shape,
) -> torch.Tensor:
    """Sequences of one length are a plain [n, length] batch without a mask."""
    inner = (-1, packed.longest, *query.shape[1:])
    q, k, v = (x.reshape(inner).transpose(1, 2) for x in (query, key, value))
    output = functional.scaled_dot_product_attention(
        q, k, v, scale=shape.scale, is_causal=shape.causal
    )
    return output.transpose(1, 2).reshape(query.shape)


def _attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,  # noqa: ARG001 - the caller's signature
    scaling: float | None = None,
    dropout: float = 0.0,  # noqa: ARG001 - the caller's signature
    **options: Any,  # noqa: ANN401 - whatever a model passes on
) -> tuple[torch.Tensor, None]:
    """From [1, heads, T, width] to [1, T, heads, width], as transformers has it."""
    packed, kernel = _batch.get()
    for name in ("softcap", "s_aux", "position_bias"):
        if options.get(name) is not None:
            raise NotImplementedError(f"packed attention has no {name}")
    heads = query.shape[1]
    if key.shape[1] != heads:
        key = key.repeat_interleave(heads // key.shape[1], dim=1)
        value = value.repeat_interleave(heads // value.shape[1], dim=1)
    causal = options.get("is_causal")
    window = options.get("sliding_window")
    shape = Shape(
        scale=scaling,
        causal=bool(getattr(module, "is_causal", False) if causal is None else causal),
        window=-1 if window is None else int(window) - 1,
    )
    plain = packed.uniform and shape.window < 0
    attend = _rectangular if plain else kernel
    q, k, v = (x[0].transpose(0, 1) for x in (query, key, value))
    return attend(q, k, v, packed, shape)[None], None


# A mask function is left out on purpose: for an attention without one, transformers
# builds no mask, which would be T x T.
AttentionInterface.register(PACKED, _attention)
