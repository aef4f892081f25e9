"""The widest moment of a pass, by hand; that it is so, benchmarks/memory shows."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.estimate.architecture import read_architecture
from orchestrator.estimate.families import FAMILIES
from orchestrator.estimate.forward import forward
from orchestrator.estimate.passes import Pass
from tests.estimate.configs import BERT, LLAMA, VIT

B, S, H, INNER = 4, 32, 64, 256
IDS = 8 * B * S


def pass_of(config: dict[str, Any], **more: Any) -> Pass:  # noqa: ANN401
    given = {"batch": B, "length": S, "size": 4, "cuda": False} | more
    return Pass(read_architecture(config), **given)


def peak(one: Pass, logits_rows: int = 0) -> int:
    forward(one, logits_rows)
    return one.tape.peak_bytes()


def test_bert_is_widest_at_the_activation() -> None:
    """Embeddings, the layer's input, attention's result, twice the feed-forward."""
    assert peak(pass_of(BERT)) == IDS + 4 * B * S * (3 * H + 2 * INNER)


def test_llama_is_widest_at_the_product_of_gate_and_up() -> None:
    """Embeddings, input, residual, normed; gate, up, product; sine, cosine, places."""
    positions = 8 * S + 2 * 4 * S * (H // 4)
    assert peak(pass_of(LLAMA)) == IDS + positions + 4 * B * S * (4 * H + 3 * INNER)


def test_the_cache_stays_and_half_precision_norms_in_float32() -> None:
    plain = peak(pass_of(LLAMA, size=2))
    cached = peak(pass_of(LLAMA, size=2, cache=True))
    kv_of_two_layers = 2 * B * S * 2 * (2 * H // 4) * 2
    assert cached - plain == kv_of_two_layers
    narrow = {**LLAMA, "intermediate_size": 1}
    # Embeddings, input, residual; square and its input; then the widest of the norm.
    assert peak(pass_of(narrow, size=2)) > IDS + B * S * (3 * 2 * H + 2 * 4 * H)


def test_logits_of_all_tokens_are_the_widest_with_many_words() -> None:
    many = {**LLAMA, "vocab_size": 100_000}
    logits = 4 * B * S * 100_000
    assert peak(pass_of(many), B * S) == logits + IDS + 4 * B * S * H
    assert peak(pass_of(LLAMA), B) == peak(pass_of(LLAMA))


def test_images_are_their_patches_and_a_class_token() -> None:
    one = pass_of(VIT, length=17)
    pixels = 4 * B * 3 * 32 * 32
    assert peak(one) == pixels + 4 * B * 17 * (4 * H + 2 * INNER)


def test_a_mask_of_a_window_grows_with_the_square_of_the_length() -> None:
    windowed = {**BERT, "model_type": "modernbert", "local_attention": 16}
    short, long = (
        peak(pass_of(windowed, batch=1, length=length, size=2))
        for length in (1024, 4096)
    )
    assert long > 12 * short
    packed = pass_of(windowed, batch=1, length=4096, size=2, packed=True)
    assert peak(packed) < long / 4


def test_float32_with_few_key_heads_has_no_fused_kernel_on_a_gpu() -> None:
    scores = 4 * B * 4 * 512 * 512
    with_scores = peak(pass_of(LLAMA, length=512, cuda=True))
    assert with_scores - peak(pass_of(LLAMA, length=512)) > 2 * scores
    half = peak(pass_of(LLAMA, length=512, size=2, cuda=True))
    assert half < scores


@given(
    st.sampled_from(sorted(FAMILIES)),
    st.integers(1, 8),
    st.integers(1, 64),
    st.sampled_from([2, 4]),
)
def test_all_that_is_taken_is_freed_and_more_work_takes_more(
    kind: str, batch: int, length: int, size: int
) -> None:
    config = {**BERT, **VIT, "model_type": kind, "num_key_value_heads": 2}
    experts = {"num_experts": 4, "num_experts_per_tok": 2}
    one = pass_of(config | experts, batch=batch, length=length, size=size)
    more = pass_of(config | experts, batch=batch + 1, length=length + 16, size=size)
    assert peak(one, batch) < peak(more, batch + 1)
    assert list(one.tape.live())[-1] == 0


@pytest.mark.parametrize("kind", sorted(FAMILIES))
def test_nothing_is_freed_twice_or_before_it_is_taken(kind: str) -> None:
    config = {**BERT, **VIT, "model_type": kind, "num_key_value_heads": 2}
    for more in ({}, {"packed": True, "batch": 1}, {"cache": True}):
        one = pass_of(config | {"num_experts_per_tok": 2, "num_experts": 4}, **more)
        forward(one, 1)
        alive: set[int] = set()
        for block, size in one.tape.events:
            if size:
                assert block not in alive
                alive.add(block)
            else:
                alive.remove(block)
