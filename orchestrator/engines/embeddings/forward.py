"""Packed tokens -> hidden states, with padding in between or without."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch

from orchestrator.engines.cuda import is_out_of_memory
from orchestrator.engines.embeddings.batches import TokenBatch
from orchestrator.engines.embeddings.model import Encoder
from orchestrator.engines.embeddings.packing import (
    PACKED,
    Kernel,
    Packed,
    attending,
    flash,
    pack,
)

_CHECK_LENGTHS = (7, 130, 1, 33, 64, 300, 33)
_UNIFORM_LENGTHS = (24, 24, 24)
_TOLERANCE = {torch.float32: 1e-4, torch.float16: 2e-2, torch.bfloat16: 1.5e-1}


class Forward(Protocol):
    """A way to run the model's body."""

    @property
    def name(self) -> str:
        """How rows are laid out: `packed` or `padded`."""
        ...

    def __call__(self, packed: Packed) -> torch.Tensor:
        """Hidden states [T, width] of the batch's tokens."""
        ...


@dataclass(frozen=True, slots=True)
class Padded:
    """Rows of the longest row's length, as every model takes them."""

    encoder: Encoder
    name: str = "padded"

    def __call__(self, packed: Packed) -> torch.Tensor:
        """Hidden states [T, width]; the padding's are dropped."""
        count, longest = packed.lengths.shape[0], packed.longest
        slots = packed.sequence * longest + packed.position
        ids = packed.ids.new_full((count * longest,), self.encoder.pad_id)
        ids[slots] = packed.ids
        steps = torch.arange(longest, device=ids.device)
        mask = (steps[None, :] < packed.lengths[:, None]).long()
        hidden = _hidden(
            self.encoder.body(input_ids=ids.view(count, -1), attention_mask=mask)
        )
        flat = hidden.reshape(count * longest, -1)
        return flat if packed.uniform else flat[slots]


@dataclass(frozen=True, slots=True)
class Unpadded:
    """All tokens in one row; attention keeps to the sequences.

    Attributes:
        encoder: Its body is set to our attention.
        kernel: What computes attention.
        offset: Position of a sequence's first token in the model's own counting.
    """

    encoder: Encoder
    kernel: Kernel
    offset: int
    name: str = "packed"

    def __call__(self, packed: Packed) -> torch.Tensor:
        """Hidden states [T, width]."""
        with attending(packed, self.kernel):
            output = self.encoder.body(
                input_ids=packed.ids[None],
                position_ids=(packed.position + self.offset)[None],
            )
        return _hidden(output)[0]


def choose_forward(
    encoder: Encoder, device: torch.device, max_length: int, kernel: Kernel = flash
) -> Forward:
    """Packed if the model then says the same as padded, else padded.

    Which models keep to the attention they are told, and from which number they
    count positions, is found by trying instead of by a list of names.
    """
    padded = Padded(encoder)
    batches = [
        pack(_sample(lengths, max_length, encoder.vocabulary), device)
        for lengths in (_CHECK_LENGTHS, _UNIFORM_LENGTHS)
    ]
    expected = [padded(batch) for batch in batches]
    before = encoder.body.config._attn_implementation  # noqa: SLF001 - no setter in 4.53
    encoder.body.config._attn_implementation = PACKED  # noqa: SLF001
    for offset in (0, encoder.pad_id + 1):
        unpadded = Unpadded(encoder, kernel, offset)
        if _agrees(unpadded, batches, expected):
            return unpadded
    encoder.body.config._attn_implementation = before  # noqa: SLF001
    return padded


def _agrees(
    forward: Callable[[Packed], torch.Tensor],
    batches: list[Packed],
    expected: list[torch.Tensor],
) -> bool:
    try:
        return all(
            _close(forward(batch), wanted)
            for batch, wanted in zip(batches, expected, strict=True)
        )
    except (RuntimeError, TypeError, ValueError, LookupError, AttributeError) as error:
        # Refusing is an answer: this model, or this GPU, cannot do without padding.
        if is_out_of_memory(error):
            raise
        return False


def _close(found: torch.Tensor, wanted: torch.Tensor) -> bool:
    """Relative to the size of the hidden states, over the worst token."""
    difference = (found.float() - wanted.float()).norm(dim=-1)
    size = wanted.float().norm(dim=-1).clamp_min(1e-6)
    return bool((difference / size).max() < _TOLERANCE[wanted.dtype])


def _sample(lengths: tuple[int, ...], max_length: int, vocabulary: int) -> TokenBatch:
    sizes = np.minimum(np.array(lengths, np.int32), max_length)
    # The lower half holds the special tokens; padding within a row would confuse.
    first = vocabulary // 2
    ids = np.random.default_rng(0).integers(first, vocabulary, int(sizes.sum()))
    return TokenBatch(np.arange(len(sizes)), ids.astype(np.int32), sizes)


def _hidden(output: Any) -> torch.Tensor:  # noqa: ANN401 - each model has its own type
    hidden: torch.Tensor = output[0]
    return hidden
