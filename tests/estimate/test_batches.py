from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import Code, OrchError
from orchestrator.estimate.base import Estimate
from orchestrator.estimate.batches import Limits, reckon_embeddings, reckon_rows
from orchestrator.estimate.model import Shape

FIXED, TOKEN = 1000, 1


def estimated(shape: Shape) -> Estimate:
    """A model of 1,000 bytes that takes a byte a token."""
    return Estimate(FIXED, TOKEN * shape.tokens, 0, shape.tokens)


BERT = {
    "model_type": "bert",
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "vocab_size": 99,
    "max_position_embeddings": 512,
}


@pytest.mark.parametrize(
    ("kind", "model_type", "memory", "shape"),
    [
        ("cuda", "bert", None, Shape(1, 131_072, packed=True)),
        ("cuda", "bert", FIXED + 131_072, Shape(1, 131_072, packed=True)),
        # One byte less: half as many.
        ("cuda", "bert", FIXED + 131_071, Shape(1, 65_536, packed=True)),
        ("cuda", "bert", FIXED + 5000, Shape(1, 4096, packed=True)),
        # Below what the engine tries first only the longest row is left.
        ("cuda", "bert", FIXED + 4095, Shape(1, 512, packed=True)),
        # Too small even for that: the diagnosis says how much is missing.
        ("cuda", "bert", 1, Shape(1, 512, packed=True)),
        # Its attention is padded.
        ("cuda", "mpnet", None, Shape(256, 512)),
        ("cpu", "bert", None, Shape(8, 512)),
        ("cpu", "bert", FIXED + 2000, Shape(2, 512)),
    ],
)
def test_the_batch_of_an_encoder(
    kind: str, model_type: str, memory: int | None, shape: Shape
) -> None:
    config = {**BERT, "model_type": model_type}
    packed = kind == "cuda"
    found = reckon_embeddings(config, kind, Limits(memory), estimated, packed=packed)
    assert found.shape == shape
    assert found.estimate == estimated(shape)


def test_the_longest_row_is_the_jobs_if_it_says_so() -> None:
    for asked, longest in ((64, 64), (9999, 512), (None, 512)):
        found = reckon_embeddings(
            BERT, "cpu", Limits(1), estimated, packed=False, max_length=asked
        )
        assert found.shape == Shape(1, longest)


def test_what_the_user_sets_aside_is_the_total_whatever_the_batch() -> None:
    for asked, tokens in ((999_999, 131_072), (FIXED + 9000, 8192), (FIXED + 600, 512)):
        limits = Limits(memory_bytes=1, gpu_memory=asked)
        found = reckon_embeddings(BERT, "cuda", limits, estimated, packed=True)
        assert found.estimate.total_bytes == asked
        assert found.shape == Shape(1, tokens, packed=True)
    limits = Limits(gpu_memory=FIXED + 511)
    with pytest.raises(OrchError, match="at the least") as caught:
        reckon_embeddings(BERT, "cuda", limits, estimated, packed=True)
    assert caught.value.fault.code is Code.BAD_VALUE


def test_a_model_of_an_unknown_family_is_not_guessed() -> None:
    with pytest.raises(OrchError, match="not known") as caught:
        reckon_embeddings(
            {"model_type": "new"}, "cuda", Limits(), estimated, packed=True
        )
    assert "resources.gpu_memory" in caught.value.fault.fix


@given(st.integers(0, 200_000), st.integers(0, 9000))
def test_a_module_gets_no_more_rows_than_fit_or_are_wanted(
    memory: int, wanted: int
) -> None:
    found = reckon_rows(Limits(memory, wanted_rows=wanted), estimated)
    assert found.shape is not None
    assert found.shape.batch <= (wanted or 8192)
    assert found.estimate.total_bytes <= memory or found.shape.batch == 1
