from __future__ import annotations

from typing import Any

import pytest

from orchestrator.errors import Code, OrchError
from orchestrator.estimate.architecture import read_architecture
from orchestrator.estimate.facts import model_facts
from orchestrator.estimate.kv_cache import kv_cache_bytes
from orchestrator.estimate.loaded import loaded_weights
from tests.estimate.configs import BERT, LLAMA, LLAMA_8B, header, llama_header

EMBEDDING = {"model.embed_tokens.weight": ("BF16", [1000, 64])}
HEAD = {"lm_head.weight": ("BF16", [1000, 64])}
BODY = {"bert.embeddings.word_embeddings.weight": ("F32", [1000, 64])}
MLM = {"cls.predictions.decoder.weight": ("F32", [1000, 64])}
QUANTISED: dict[str, Any] = {"quantization_config": {"quant_method": "any"}}

LOADED = [
    # name, header, config, dtype, body only, bytes
    ("floats take the run's dtype", BODY, {}, "float16", False, 128_000),
    ("and widen", EMBEDDING, {}, "float32", False, 256_000),
    ("a head of its own", EMBEDDING | HEAD, {}, "bfloat16", False, 256_000),
    (
        "a tied one counts once",
        EMBEDDING | HEAD,
        {"tie_word_embeddings": True},
        "bfloat16",
        False,
        128_000,
    ),
    (
        "a tied one that is alone counts",
        HEAD,
        {"tie_word_embeddings": True},
        "bfloat16",
        False,
        128_000,
    ),
    ("the body goes without heads", BODY | MLM, {}, "float32", True, 256_000),
    (
        "unless its names tell no body",
        {"embeddings.weight": ("F32", [10, 8]), "transformer.x": ("F32", [8])},
        {},
        "float32",
        True,
        352,
    ),
    (
        "GPTQ packs eight numbers into an integer",
        {
            "model.layers.0.q.qweight": ("I32", [512, 4096]),
            "model.layers.0.q.qzeros": ("I32", [32, 512]),
            "model.layers.0.q.scales": ("F16", [32, 4096]),
            "model.layers.0.q.g_idx": ("I32", [4096]),
        },
        QUANTISED,
        "float32",
        False,
        4 * 512 * 4096 + 4 * 32 * 512 + 2 * 32 * 4096 + 4 * 4096,
    ),
    (
        "bitsandbytes keeps its maxima in float32",
        {
            "model.layers.0.q.weight": ("U8", [8_388_608, 1]),
            "model.layers.0.q.weight.absmax": ("F32", [262_144]),
            "model.layers.0.q.weight.quant_map": ("F32", [16]),
        },
        QUANTISED,
        "float16",
        False,
        8_388_608 + 4 * 262_144 + 64,
    ),
    (
        "FP8 keeps its scales",
        {
            "model.layers.0.q.weight": ("F8_E4M3", [4096, 4096]),
            "model.layers.0.q.weight_scale_inv": ("F32", [32, 32]),
            "model.layers.0.norm.weight": ("BF16", [4096]),
        },
        QUANTISED,
        "bfloat16",
        False,
        4096 * 4096 + 4 * 1024 + 2 * 4096,
    ),
    (
        "compressed-tensors, too",
        {
            "model.layers.0.q.weight_packed": ("I32", [4096, 512]),
            "model.layers.0.q.weight_scale": ("BF16", [4096, 32]),
            "model.layers.0.q.weight_shape": ("I64", [2]),
        },
        QUANTISED,
        "float16",
        False,
        4 * 4096 * 512 + 2 * 4096 * 32 + 16,
    ),
]


@pytest.mark.parametrize(
    ("tensors", "config", "dtype", "body", "expected"),
    [case[1:] for case in LOADED],
    ids=[case[0] for case in LOADED],
)
def test_what_is_loaded(
    tensors: dict[str, tuple[str, list[int]]],
    config: dict[str, Any],
    dtype: str,
    body: bool,
    expected: int,
) -> None:
    found = loaded_weights(header(tensors), config, dtype, body_only=body)
    assert found.total_bytes == expected


def test_a_damaged_header_is_a_model_that_cannot_load() -> None:
    with pytest.raises(OrchError) as caught:
        loaded_weights({"w": {"dtype": "F31"}}, {}, "float16", body_only=False)
    assert caught.value.fault.code is Code.MODEL_FAILED_TO_LOAD


def test_layers_and_what_is_outside_add_up() -> None:
    facts = model_facts(LLAMA_8B, llama_header(LLAMA_8B), "bfloat16")
    assert facts.weights_bytes == 2 * 8_030_261_248
    assert len(facts.layer_bytes) == 32
    assert set(facts.layer_bytes) == {2 * 218_112_000}
    assert facts.outer_bytes + sum(facts.layer_bytes) == facts.weights_bytes
    assert (facts.heads, facts.kv_heads, facts.kv_bytes_per_token) == (32, 8, 4096)


def test_names_without_layers_give_equal_shares() -> None:
    facts = model_facts(BERT, header({"all": ("F32", [1001])}), "float32")
    assert facts.layer_bytes == (2002, 2002)
    assert facts.outer_bytes == 0


WINDOWED = {**LLAMA, "model_type": "gemma3_text", "sliding_window": 16} | {
    "layer_types": ["sliding_attention", "full_attention"]
}
CACHES = [
    # config, batch, context, bytes
    (LLAMA_8B, 1, 8192, 1 << 30),
    (LLAMA_8B, 16, 1024, 2 << 30),
    (LLAMA, 1, 100, 100 * 2 * 2 * 2 * 16 * 2),
    (WINDOWED, 1, 10, (10 + 10) * 2 * 2 * 16 * 2),
    (WINDOWED, 3, 100, 3 * (16 + 100) * 2 * 2 * 16 * 2),
]


@pytest.mark.parametrize(("config", "batch", "context", "expected"), CACHES)
def test_the_kv_cache(
    config: dict[str, Any], batch: int, context: int, expected: int
) -> None:
    arch = read_architecture(config)
    assert kv_cache_bytes(arch, batch, context, 2) == expected
