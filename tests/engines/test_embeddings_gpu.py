"""On a real GPU: `pytest -m gpu tests/engines/test_embeddings_gpu.py`."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from orchestrator.engines import cuda
from orchestrator.engines.base import EngineSpec
from orchestrator.engines.embeddings.batches import TokenBatch
from orchestrator.engines.embeddings.execute import EmbeddingsExecutor
from orchestrator.engines.embeddings.forward import Padded, Unpadded
from orchestrator.engines.model_files import look_at
from orchestrator.engines.torch_module.execute import TorchExecutor
from orchestrator.engines.torch_module.prepare import RowBatch
from orchestrator.errors import Code, OrchError
from orchestrator.estimate.model import Shape, estimate_model
from orchestrator.estimate.module import estimate_module
from orchestrator.scheduling.snapshot import DeviceKind
from orchestrator.spec.job import Model
from orchestrator.units import GIB
from tests.engines.small_models import engine_spec, write_bert, write_model

pytestmark = pytest.mark.gpu

BERT_BASE: dict[str, Any] = {
    "vocab_size": 30_522,
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
}
RAGGED = [512, 300, 128, 128, 77, 8, 1]
UNIFORM = [128] * 16


def on_gpu(path: Path, *, dtype: str = "auto", memory: int = 16 * GIB) -> EngineSpec:
    model = Model(id=str(path), dtype=dtype)
    spec = engine_spec(model, path)
    gpu = cuda.gpu_uuid()
    return replace(spec, kind=DeviceKind.CUDA, gpu=gpu, memory_bytes=memory, cores=4)


def batch_of(lengths: list[int], vocabulary: int) -> TokenBatch:
    ids = np.random.default_rng(1).integers(vocabulary // 2, vocabulary, sum(lengths))
    sizes = np.array(lengths, np.int32)
    return TokenBatch(np.arange(len(sizes)), ids.astype(np.int32), sizes)


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bert(tmp_path_factory.mktemp("bert"), std=0.03, **BERT_BASE)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("lengths", [RAGGED, UNIFORM], ids=["ragged", "uniform"])
def test_packed_vectors_are_the_padded_ones(
    bert: Path, dtype: str, lengths: list[int]
) -> None:
    executor = EmbeddingsExecutor(on_gpu(bert, dtype=dtype))
    loaded = executor.load()
    assert "packed rows" in loaded.description
    batch = batch_of(lengths, 30_522)
    packed = executor.launch(batch)()["embedding"]
    executor._encoder.body.config._attn_implementation = "sdpa"
    executor._forward = Padded(executor._encoder)
    padded = executor.launch(batch)()["embedding"]
    assert cosine(packed, padded).min() > (0.9999 if dtype == "float16" else 0.998)


def test_float32_stays_padded(bert: Path) -> None:
    loaded = EmbeddingsExecutor(on_gpu(bert, dtype="float32")).load()
    assert "float32" in loaded.description
    assert "padded rows" in loaded.description


@pytest.mark.parametrize("kind", ["Roberta", "DistilBert", "ModernBert", "Qwen2"])
def test_other_families_run_packed(kind: str, tmp_path: Path) -> None:
    executor = EmbeddingsExecutor(on_gpu(write_model(kind, tmp_path)))
    executor.load()
    assert isinstance(executor._forward, Unpadded)


def test_launching_does_not_wait_for_the_gpu(bert: Path) -> None:
    executor = EmbeddingsExecutor(on_gpu(bert))
    executor.load()
    for lengths in (RAGGED, UNIFORM):
        batch = batch_of(lengths, 30_522)
        executor.launch(batch)()
        with no_synchronising():
            finish = executor.launch(batch)
        assert np.shape(finish()["embedding"]) == (len(lengths), 768)


@contextmanager
def no_synchronising() -> Iterator[None]:
    with warnings.catch_warnings():
        # Torch says that the mode is a prototype.
        warnings.simplefilter("ignore", UserWarning)
        torch.cuda.set_sync_debug_mode("error")
        try:
            yield
        finally:
            torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize("memory", [4 * GIB, 16 * GIB])
def test_the_budget_and_its_peak_stay_within_the_reservation(
    bert: Path, memory: int
) -> None:
    torch.cuda.empty_cache()
    executor = EmbeddingsExecutor(on_gpu(bert, memory=memory))
    loaded = executor.load()
    assert loaded.budget >= 4096
    held = executor.held()
    assert 0 < held.bytes <= memory
    assert held.shape is not None
    assert held.shape.tokens <= loaded.budget
    assert loaded.seconds < 20


@pytest.mark.parametrize("tokens", [8192, 131_072])
def test_what_was_reckoned_for_a_batch_lets_it_be_tried(
    bert: Path, tokens: int
) -> None:
    torch.cuda.empty_cache()
    model = Model(id=str(bert))
    files = look_at(model, bert)
    shape = Shape(batch=1, length=tokens, packed=True)
    estimate = estimate_model(
        files.config,
        {
            name: {"dtype": tensor.dtype, "shape": list(tensor.shape)}
            for name, tensor in files.tensors.items()
        },
        shape,
        dtype="float16",
        kind="cuda",
        gpu_model=torch.cuda.get_device_name(0),
    )
    spec = on_gpu(bert, memory=estimate.total_bytes)
    executor = EmbeddingsExecutor(replace(spec, budget=tokens))
    loaded = executor.load()
    held = executor.held()
    assert 4096 <= loaded.budget <= tokens
    assert held.bytes <= estimate.total_bytes
    assert held.shape == replace(shape, length=loaded.budget)


def test_a_model_larger_than_its_reservation_is_out_of_memory(bert: Path) -> None:
    torch.cuda.empty_cache()
    with pytest.raises(OrchError) as caught:
        EmbeddingsExecutor(
            on_gpu(bert, memory=cuda.context_bytes() + (64 << 20))
        ).load()
    fault = caught.value.fault
    assert fault.code is Code.OUT_OF_GPU_MEMORY
    assert fault.needed_bytes > cuda.context_bytes() + (64 << 20)


def test_another_gpu_than_the_leased_one_is_refused(bert: Path) -> None:
    other = "GPU-00000000-0000-0000-0000-000000000000"
    with pytest.raises(OrchError, match="instead of GPU-0000") as caught:
        EmbeddingsExecutor(replace(on_gpu(bert), gpu=other)).load()
    assert caught.value.fault.code is Code.GPU_FAILED_TO_INITIALISE


def test_a_module_of_ones_own_runs_there(tmp_path: Path) -> None:
    code = b"""
import torch
class M(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(4, 4)
    def forward(self, x):
        assert x.is_cuda
        return {"y": x * 2, "z": self.layer(x)}
"""
    spec = engine_spec(
        Model(entry="gpu_user:M"), tmp_path, fields=("x",), code={"gpu_user.py": code}
    )
    gpu = cuda.gpu_uuid()
    memory = 8 * GIB
    executor = TorchExecutor(
        replace(spec, kind=DeviceKind.CUDA, gpu=gpu, memory_bytes=memory)
    )
    executor.load()
    points = np.random.default_rng(0).random((5000, 4), np.float32)
    for _ in range(8):
        columns = executor.launch(RowBatch(np.arange(5000), (points,)))()
        np.testing.assert_allclose(columns["y"], points * 2, rtol=1e-6)
        assert np.shape(columns["z"]) == (5000, 4)
    assert executor._growth.done
    held = executor.held()
    assert held.profile is not None
    (small, taken), (more, more_taken) = held.profile.small_batches
    assert (small, more) == (8, 16)
    assert 0 < taken <= more_taken
    # A square of 4 and its bias.
    assert held.profile.parameters_bytes == 4 * (4 * 4 + 4)
    assert held.shape is not None
    estimate = estimate_module(
        held.profile.parameters_bytes,
        held.profile.small_batches,
        held.shape.batch,
        gpu_model=torch.cuda.get_device_name(0),
    )
    assert 0 < held.bytes <= memory
    assert estimate.total_bytes < memory, "it takes no GPU whole any more"


def cosine(a: Any, b: Any) -> Any:  # noqa: ANN401 - numpy's arrays of any kind
    return (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
