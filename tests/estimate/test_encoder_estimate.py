from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import Code, OrchError
from orchestrator.estimate.base import CPU, CUDA, Estimate, platform
from orchestrator.estimate.encoder import (
    Shape,
    activation_bytes,
    estimate_encoder,
    shape_of,
)
from orchestrator.estimate.weights import WeightsInfo
from orchestrator.scheduling.snapshot import DeviceKind
from orchestrator.units import GIB, MIB

MINILM: dict[str, Any] = {
    "model_type": "bert",
    "hidden_size": 384,
    "intermediate_size": 1536,
    "max_position_embeddings": 512,
}
MINILM_WEIGHTS = WeightsInfo(parameters=22_713_216, other_bytes=4096)
BERT_BASE = {**MINILM, "hidden_size": 768, "intermediate_size": 3072}
BERT_WEIGHTS = WeightsInfo(parameters=109_482_240)

SHAPES = [
    (MINILM, Shape(384, 1536, 512, gated=False)),
    (
        {"model_type": "distilbert", "dim": 768, "hidden_dim": 3072},
        Shape(768, 3072, 512, gated=False),
    ),
    (
        {"model_type": "t5", "d_model": 512, "d_ff": 2048},
        Shape(512, 2048, 512, gated=True),
    ),
    (
        {"model_type": "modernbert", "hidden_size": 768, "intermediate_size": 1152}
        | {"max_position_embeddings": 8192},
        Shape(768, 1152, 8192, gated=True),
    ),
    ({"hidden_size": 100}, Shape(100, 400, 512, gated=True)),
]


@pytest.mark.parametrize(("config", "expected"), SHAPES)
def test_a_config_gives_the_shape(config: dict[str, Any], expected: Shape) -> None:
    assert shape_of(config) == expected


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"model_type": "clip", "projection_dim": 512},
        {"hidden_size": None},
        {"hidden_size": [96, 192]},
        {"hidden_size": True},
        {"hidden_size": 0},
    ],
)
def test_a_model_without_a_width_is_asked_about_never_zero(
    config: dict[str, Any],
) -> None:
    with pytest.raises(OrchError) as caught:
        estimate(config, model="acme/strange")
    fault = caught.value.fault
    assert fault.code is Code.BAD_VALUE
    assert "acme/strange" in fault.message
    assert "resources.gpu_memory" in fault.fix


def test_a_model_without_a_width_takes_the_users_word() -> None:
    assert estimate({}, gpu_memory=4 * GIB) == Estimate(
        weights_bytes=2 * 22_713_216 + 4096,
        activation_bytes=4 * GIB - 2 * 22_713_216 - 4096 - CUDA.context_bytes,
        context_bytes=CUDA.context_bytes,
        budget_tokens=0,
    )


def test_the_formula_by_hand() -> None:
    """BERT-base, fp16: 2 x 768 + 2 x 3072 = 7,680 numbers, 15,360 bytes a token."""
    shape = shape_of(BERT_BASE)
    assert activation_bytes(shape, 1000, "float16", CUDA) == (
        1000 * (15_360 + 64) * 200 // 100 + 64 * MIB
    )


def test_a_narrow_feed_forward_leaves_attention_as_the_widest() -> None:
    shape = Shape(hidden=100, intermediate=10, longest=512, gated=False)
    assert activation_bytes(shape, 100, "float32", CPU) == (
        100 * (6 * 100 * 4 + 64) * 220 // 100
    )


# measured with torch 2.13 (float32, sdpa, padded, eight rows of 512), weights apart
MEASURED_ON_CPU = [
    (MINILM, 120 * MIB),
    (BERT_BASE, 262 * MIB),
]


@pytest.mark.parametrize(("config", "measured"), MEASURED_ON_CPU)
def test_the_estimate_covers_what_was_measured(
    config: dict[str, Any], measured: int
) -> None:
    computed = activation_bytes(shape_of(config), 4096, "float32", CPU)
    assert measured <= computed <= 1.25 * measured


BUDGETS = [
    # kind, memory or gpu_memory, tokens in a batch
    ("cuda", {}, 65_536),
    ("cuda", {"memory_bytes": 24 * GIB}, 65_536),
    ("cuda", {"memory_bytes": 1 * GIB}, 21_248),
    ("cuda", {"memory_bytes": 700 * MIB}, 512),
    ("cuda", {"gpu_memory": 24 * GIB}, 65_536),
    ("cuda", {"gpu_memory": 1 * GIB}, 21_248),
    ("cuda", {"max_length": 128, "memory_bytes": 700 * MIB}, 128),
    ("cuda", {"max_length": 9999, "memory_bytes": 700 * MIB}, 512),
    ("cpu", {}, 4_096),
    ("cpu", {"memory_bytes": 8 * GIB}, 4_096),
]


@pytest.mark.parametrize(("kind", "limits", "tokens"), BUDGETS)
def test_batches_follow_the_memory(
    kind: str, limits: dict[str, int], tokens: int
) -> None:
    found = estimate(
        MINILM,
        kind=kind,
        max_length=limits.get("max_length"),
        memory_bytes=limits.get("memory_bytes"),
        gpu_memory=limits.get("gpu_memory"),
    )
    assert found.budget_tokens == tokens


def test_a_row_longer_than_the_aim_still_fits_in_a_batch() -> None:
    longer = {**MINILM, "max_position_embeddings": 8192}
    assert estimate(longer, kind="cpu").budget_tokens == 8192


def test_minilm_on_a_gpu_takes_about_a_gib_and_a_half() -> None:
    found = estimate(MINILM)
    assert found.weights_bytes == 2 * 22_713_216 + 4096
    assert 1.5 * GIB < found.total_bytes < 1.7 * GIB


@given(st.integers(0, 40 * GIB), st.sampled_from(["cuda", "cpu"]))
def test_the_users_amount_is_split_and_nothing_is_lost(extra: int, kind: str) -> None:
    place, shape = platform(kind), shape_of(BERT_BASE)
    weights_bytes = BERT_WEIGHTS.bytes_as("float32")
    longest = activation_bytes(shape, 512, "float32", place)
    asked = weights_bytes + place.context_bytes + longest + extra
    found = estimate_encoder(
        BERT_BASE, BERT_WEIGHTS, dtype="float32", kind=kind, gpu_memory=asked
    )
    needed = activation_bytes(shape, found.budget_tokens, "float32", place)
    assert found.total_bytes == asked
    assert found.weights_bytes == weights_bytes
    assert found.context_bytes == place.context_bytes
    assert needed <= found.activation_bytes


@given(st.integers(1, 40 * GIB), st.sampled_from(["float16", "float32"]))
def test_an_estimate_stays_within_the_memory_or_is_the_least_there_is(
    memory: int, dtype: str
) -> None:
    found = estimate_encoder(
        BERT_BASE, BERT_WEIGHTS, dtype=dtype, kind="cuda", memory_bytes=memory
    )
    assert found.total_bytes <= memory or found.budget_tokens == 512
    assert 512 <= found.budget_tokens <= 65_536


def test_the_amount_that_the_fix_asks_for_is_enough() -> None:
    with pytest.raises(OrchError) as caught:
        estimate(MINILM, gpu_memory=600 * MIB)
    amount = int(caught.value.fault.fix.removeprefix("set it to ").split("MiB")[0])
    assert estimate(MINILM, gpu_memory=amount * MIB).budget_tokens == 512


@pytest.mark.parametrize("kind", list(DeviceKind))
def test_every_kind_of_place_has_its_constants(kind: DeviceKind) -> None:
    assert platform(kind).context_bytes > 0


def estimate(
    config: dict[str, Any],
    *,
    kind: str = "cuda",
    model: str = "m",
    max_length: int | None = None,
    memory_bytes: int | None = None,
    gpu_memory: int | None = None,
) -> Estimate:
    return estimate_encoder(
        config,
        MINILM_WEIGHTS,
        dtype="float16" if kind == "cuda" else "float32",
        kind=kind,
        model=model,
        max_length=max_length,
        memory_bytes=memory_bytes,
        gpu_memory=gpu_memory,
    )
