"""Packed rows give what padded rows give, on the CPU with the reference attention."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.engines.embeddings.batches import TokenBatch
from orchestrator.engines.embeddings.forward import (
    Padded,
    Unpadded,
    choose_forward,
)
from orchestrator.engines.embeddings.model import Encoder, load_encoder
from orchestrator.engines.embeddings.packing import (
    Kernel,
    Packed,
    Shape,
    blockwise,
    flash,
    pack,
)
from orchestrator.engines.embeddings.pooling import pool
from orchestrator.engines.embeddings.recipe import read_recipe
from orchestrator.errors import OrchError
from orchestrator.spec.job import Model, Params
from tests.engines.small_models import WORDS, write_bert, write_model

CPU = torch.device("cpu")


def batch_of(lengths: list[int]) -> TokenBatch:
    ids = np.random.default_rng(sum(lengths)).integers(4, len(WORDS), sum(lengths))
    sizes = np.array(lengths, np.int32)
    return TokenBatch(np.arange(len(sizes)), ids.astype(np.int32), sizes)


def load(path: Path) -> Encoder:
    recipe = read_recipe(path, Params())
    return load_encoder(path, Model(id=str(path)), recipe, CPU)


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    return load(write_bert(tmp_path_factory.mktemp("bert")))


def test_a_packed_batch_knows_where_each_token_belongs() -> None:
    packed = pack(batch_of([3, 1, 2]), CPU)
    assert packed.ends.tolist() == [0, 3, 4, 6]
    assert packed.ends.dtype is torch.int32
    assert packed.sequence.tolist() == [0, 0, 0, 1, 2, 2]
    assert packed.position.tolist() == [0, 1, 2, 0, 0, 1]
    assert (packed.longest, packed.uniform) == (3, False)
    assert pack(batch_of([2, 2]), CPU).uniform


@given(st.lists(st.integers(1, 40), min_size=1, max_size=8))
@settings(max_examples=30, deadline=None)
def test_packed_hidden_states_are_the_padded_ones(
    bert: Encoder, lengths: list[int]
) -> None:
    with torch.inference_mode():
        packed = pack(batch_of(lengths), CPU)
        wanted = Padded(bert)(packed)
        before = bert.body.config._attn_implementation
        forward = choose_forward(bert, CPU, 512, blockwise)
        assert isinstance(forward, Unpadded)
        found = forward(packed)
        bert.body.config._attn_implementation = before
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("kind", "offset"),
    [
        ("Roberta", 1),
        ("XLMRoberta", 1),
        ("DistilBert", 0),
        ("ModernBert", 0),
        ("Qwen2", 0),
    ],
)
def test_other_families_are_packed_too(kind: str, offset: int, tmp_path: Path) -> None:
    """Other position counts, rotary ones, windows, causal and grouped attention."""
    encoder = load(write_model(kind, tmp_path))
    with torch.inference_mode():
        packed = pack(batch_of([70, 3, 12]), CPU)
        wanted = Padded(encoder)(packed)
        forward = choose_forward(encoder, CPU, 300, blockwise)
        assert isinstance(forward, Unpadded)
        assert forward.offset == offset
        torch.testing.assert_close(forward(packed), wanted, atol=1e-4, rtol=1e-3)


def deaf(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    packed: Packed,
    shape: Shape,
) -> torch.Tensor:
    """Attention that does not keep to the sequences."""
    everything = pack(batch_of([packed.ids.shape[0]]), CPU)
    return blockwise(query, key, value, everything, shape)


@pytest.mark.parametrize("kernel", [deaf, flash], ids=["wrong", "refused on a CPU"])
def test_what_does_not_agree_with_padded_is_not_used(
    bert: Encoder, kernel: Kernel
) -> None:
    with torch.inference_mode():
        before = bert.body.config._attn_implementation
        assert isinstance(choose_forward(bert, CPU, 512, kernel), Padded)
        assert bert.body.config._attn_implementation == before


def test_a_model_with_attention_of_its_own_stays_padded(tmp_path: Path) -> None:
    encoder = load(write_model("MPNet", tmp_path))
    with torch.inference_mode():
        assert isinstance(choose_forward(encoder, CPU, 300, blockwise), Padded)


POOLED = {
    "mean": lambda x: x.mean(0),
    "cls": lambda x: x[0],
    "lasttoken": lambda x: x[-1],
    "max": lambda x: x.max(0).values,
    "mean_sqrt_len_tokens": lambda x: x.sum(0) / len(x) ** 0.5,
    "weightedmean": lambda x: (
        (x * torch.arange(1, len(x) + 1)[:, None]).sum(0) / sum(range(1, len(x) + 1))
    ),
}


@pytest.mark.parametrize("lengths", [[3, 1, 7], [4, 4]], ids=["ragged", "uniform"])
@pytest.mark.parametrize("mode", POOLED)
def test_pooling_sees_the_tokens_of_its_own_row(mode: str, lengths: list[int]) -> None:
    hidden = torch.randn(sum(lengths), 5, generator=torch.Generator().manual_seed(1))
    found = pool(hidden, pack(batch_of(lengths), CPU), (mode,))
    wanted = torch.stack([POOLED[mode](part) for part in torch.split(hidden, lengths)])
    torch.testing.assert_close(found, wanted)


def test_several_poolings_stand_side_by_side() -> None:
    hidden = torch.randn(5, 4)
    packed = pack(batch_of([2, 3]), CPU)
    both = pool(hidden, packed, ("cls", "mean"))
    assert both.shape == (2, 8)
    assert torch.equal(both[:, :4], hidden[[0, 2]])


def test_an_unknown_pooling_is_named() -> None:
    with pytest.raises(OrchError, match="'attention'"):
        pool(torch.zeros(1, 1), pack(batch_of([1]), CPU), ("attention",))
