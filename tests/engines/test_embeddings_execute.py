"""Real texts through the real MiniLM, on the CPU."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
import transformers
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from orchestrator.engines.base import Executor, Preparer
from orchestrator.engines.embeddings.batches import TokenBatch
from orchestrator.engines.executors import executor_for
from orchestrator.engines.registry import preparer_for
from orchestrator.engines.sources import resolve_model
from orchestrator.errors import Code, OrchError
from orchestrator.spec.job import Model, Params
from tests.engines.small_models import MINILM, engine_spec, texts, write_bert

Vectors = npt.NDArray[np.float32]
TEXTS = [
    "A dog runs over the meadow.",
    "Hope",
    "Because the bridge was closed, she walked along the river for an hour. " * 9,
    "Interest rates were raised by half a percent.",
    "",
    "The puppy is running through the grass.",
]


class Engine:
    """Both halves of an engine, without the processes between them."""

    def __init__(self, model: Model, folder: Path, params: Params, budget: int) -> None:
        spec = engine_spec(model, folder, params=params)
        self.executor: Executor = executor_for(spec)
        self.loaded = self.executor.load()
        self.preparer: Preparer = preparer_for(spec, budget)

    def embed(self, values: list[str]) -> Vectors:
        prepared = self.preparer.prepare(texts(*values))
        launched = [(b.rows, self.executor.launch(b)) for b in prepared.batches]
        found: dict[int, Any] = {}
        for rows, finish in launched:
            found |= zip(rows.tolist(), finish()["embedding"], strict=True)
        return np.stack([found[i] for i in range(len(values))])


class Reference:
    """transformers by hand, one text at a time, as its model card shows."""

    def __init__(self) -> None:
        path = resolve_model(Model(id=MINILM), Path()).path
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(path)
        self.model = transformers.AutoModel.from_pretrained(path).eval()
        self.known: dict[str, Vectors] = {}

    def embed(self, text: str) -> Vectors:
        if text not in self.known:
            inputs = self.tokenizer(
                text, truncation=True, max_length=256, return_tensors="pt"
            )
            with torch.inference_mode():
                mean = self.model(**inputs).last_hidden_state[0].mean(0)
            self.known[text] = (mean / mean.norm()).numpy()
        return self.known[text]


@pytest.fixture(scope="module")
def minilm() -> Engine:
    return Engine(Model(id=MINILM), Path(), Params(), budget=512)


@pytest.fixture(scope="module")
def reference() -> Reference:
    return Reference()


@given(st.lists(st.sampled_from(TEXTS), min_size=1, max_size=8))
@settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_vectors_are_those_of_a_plain_forward_in_any_order(
    minilm: Engine, reference: Reference, values: list[str]
) -> None:
    found = minilm.embed(values)
    assert found.dtype == np.float32
    wanted = np.stack([reference.embed(text) for text in values])
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_texts_that_mean_the_same_are_nearer(minilm: Engine) -> None:
    dog, _, _, rates, _, puppy = minilm.embed(TEXTS)
    assert dog @ puppy > 0.6
    assert dog @ rates < 0.2


def test_it_says_what_it_loaded(minilm: Engine) -> None:
    loaded = minilm.loaded
    assert loaded.description == (
        f"{MINILM}, float32, mean pooling, padded rows, 1,024 tokens a batch"
    )
    assert loaded.device == "CPU, 1 cores"
    assert 90_000_000 < loaded.weights_bytes < 92_000_000
    assert loaded.budget > 0
    assert minilm.executor.held().bytes == 0
    minilm.executor.trim()


def test_normalize_is_the_jobs_to_choose(tmp_path: Path) -> None:
    model = Model(id=str(write_bert(tmp_path)))
    plain = Engine(model, tmp_path, Params(), 512).embed(["w1 w2"])
    unit = Engine(model, tmp_path, Params(normalize=True), 512).embed(["w1 w2"])
    assert abs(np.linalg.norm(plain) - 1) > 0.1
    np.testing.assert_allclose(unit, plain / np.linalg.norm(plain), atol=1e-6)


def test_a_dense_layer_follows_pooling(tmp_path: Path) -> None:
    model = Model(id=str(write_bert(tmp_path)))
    before = Engine(model, tmp_path, Params(), 512).embed(["w1 w2"])
    dense = tmp_path / "2_Dense"
    dense.mkdir()
    weight = torch.randn(5, 32, generator=torch.Generator().manual_seed(1))
    save_file({"linear.weight": weight}, dense / "model.safetensors")
    config = {"activation_function": "torch.nn.modules.activation.Tanh"}
    (dense / "config.json").write_text(json.dumps(config))
    modules = [("Transformer", ""), ("Pooling", "1_Pooling"), ("Dense", "2_Dense")]
    listed = [{"type": f"s.models.{kind}", "path": path} for kind, path in modules]
    (tmp_path / "modules.json").write_text(json.dumps(listed))
    after = Engine(model, tmp_path, Params(), 512).embed(["w1 w2"])
    np.testing.assert_allclose(after, np.tanh(before @ weight.numpy().T), atol=1e-4)


def test_a_vector_that_is_not_finite_is_an_error(tmp_path: Path) -> None:
    engine = Engine(Model(id=str(write_bert(tmp_path))), tmp_path, Params(), 512)
    body = engine.executor._encoder.body  # type: ignore[attr-defined]
    body.embeddings.word_embeddings.weight[7] = torch.inf
    with pytest.raises(OrchError, match="not finite") as caught:
        engine.embed(["w1", "w3"])
    assert caught.value.fault.code is Code.USER_CODE_RAISED


def test_only_a_lack_of_memory_counts_as_one(tmp_path: Path) -> None:
    executor = executor_for(engine_spec(Model(id=MINILM), tmp_path))
    assert executor.is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory."))
    assert executor.is_out_of_memory(MemoryError())
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 60)
    assert executor.is_out_of_memory(caught.value)
    assert not executor.is_out_of_memory(RuntimeError("shapes do not match"))
    assert not executor.is_out_of_memory(ValueError("out of memory"))


def test_a_batch_of_another_engine_is_a_bug(minilm: Engine) -> None:
    with pytest.raises(TypeError):
        minilm.executor.launch(object())  # type: ignore[arg-type]


def test_halves_give_the_vectors_of_the_whole(minilm: Engine) -> None:
    prepared = minilm.preparer.prepare(texts(*TEXTS[:2]))
    (batch,) = prepared.batches
    assert isinstance(batch, TokenBatch)
    whole = minilm.executor.launch(batch)()["embedding"]
    parts = [minilm.executor.launch(half)()["embedding"] for half in batch.halves()]
    np.testing.assert_allclose(np.concatenate(parts), whole, atol=1e-5)
