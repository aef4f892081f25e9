from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import Code, OrchError
from orchestrator.estimate.base import Estimate
from orchestrator.estimate.gpus import gpu_constants
from orchestrator.estimate.model import (
    Logits,
    Shape,
    estimate_model,
    least_gpu_memory,
)
from orchestrator.units import GIB, MIB
from tests.estimate.configs import BERT, LLAMA, LLAMA_8B, header, llama_header

H200 = "NVIDIA H200"
WEIGHTS = header({"w": ("F32", [300_000])})


def estimate(
    config: dict[str, Any],
    shape: Shape,
    *,
    kind: str = "cuda",
    dtype: str = "bfloat16",
    tensors: dict[str, Any] | None = None,
) -> Estimate:
    return estimate_model(
        config,
        WEIGHTS if tensors is None else tensors,
        shape,
        dtype=dtype,
        kind=kind,
        gpu_model=H200,
    )


def test_llama_8b_part_by_part() -> None:
    shape = Shape(1, 1024, context=8192, logits=Logits.LAST)
    found = estimate(LLAMA_8B, shape, tensors=llama_header(LLAMA_8B))
    parts = dict(found.parts())
    assert parts["weights"] == 2 * 8_030_261_248
    assert parts["kv_cache"] == GIB
    # 4 hidden states, gate, up and product of 1,024 tokens; positions.
    assert parts["activations"] == pytest.approx(
        2 * 1024 * (4 * 4096 + 3 * 14_336), 2e-2
    )
    assert parts["logits"] == 0
    assert parts["workspace"] == 32 * MIB
    assert 0 <= parts["slack"] < 100 * MIB
    assert found.total_bytes == sum(parts.values())
    assert 16.5 * GIB < found.total_bytes < 17.2 * GIB


def test_logits_of_all_tokens_are_a_part_of_their_own() -> None:
    weights = llama_header(LLAMA_8B)
    shapes = [Shape(8, 1024, logits=logits) for logits in (Logits.LAST, Logits.ALL)]
    last, every = (estimate(LLAMA_8B, s, tensors=weights) for s in shapes)
    assert every.activation_bytes == last.activation_bytes
    assert every.logits_bytes > 2 * 8 * 1024 * 128_256 - every.activation_bytes
    assert (last.logits_bytes, last.kv_cache_bytes) == (0, 0)


def test_packed_rows_take_what_their_tokens_take() -> None:
    rows = estimate(BERT, Shape(64, 128, packed=True))
    row = estimate(BERT, Shape(1, 64 * 128, packed=True))
    assert rows == row


def test_a_cpu_has_no_allocator_of_blocks() -> None:
    found = estimate(BERT, Shape(8, 128), kind="cpu", dtype="float32")
    assert found.workspace_bytes == 0
    assert found.slack_bytes > found.activation_bytes


def test_an_unknown_architecture_is_said() -> None:
    with pytest.raises(OrchError) as caught:
        estimate({**BERT, "model_type": "retnet"}, Shape(1, 1))
    assert caught.value.fault.code is Code.BAD_VALUE
    assert "resources.gpu_memory" in caught.value.fault.fix


SHAPES = st.builds(
    Shape,
    batch=st.integers(1, 64),
    length=st.integers(1, 256),
    context=st.sampled_from([0, 300]),
    logits=st.sampled_from(Logits),
)


@given(SHAPES, st.sampled_from(["float32", "bfloat16"]))
def test_the_parts_add_up_and_the_least_is_not_more(shape: Shape, dtype: str) -> None:
    found = estimate(LLAMA, shape, dtype=dtype)
    assert all(amount >= 0 for _, amount in found.parts())
    assert found.total_bytes == sum(amount for _, amount in found.parts())
    least = least_gpu_memory(LLAMA, WEIGHTS, shape, dtype=dtype, gpu_model=H200)
    assert found.weights_bytes < least <= found.total_bytes


@pytest.mark.parametrize(
    ("gpu_model", "workspace"),
    [
        ("NVIDIA H200", 32 * MIB),
        ("NVIDIA H100 80GB HBM3", 32 * MIB),
        ("NVIDIA GH200 480GB", 32 * MIB),
        ("NVIDIA A100-SXM4-80GB", 8_519_680),
        ("NVIDIA GeForce RTX 4090", 8_519_680),
        ("", 32 * MIB),
    ],
)
def test_cublas_takes_more_on_newer_gpus(gpu_model: str, workspace: int) -> None:
    assert gpu_constants(gpu_model).workspace_bytes == workspace
