"""Batches of tokens -> vectors, in the engine's process."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from orchestrator.engines import cuda
from orchestrator.engines.base import Batch, Columns, EngineSpec, Held, Loaded
from orchestrator.engines.embeddings.batches import TokenBatch
from orchestrator.engines.embeddings.forward import Forward, Padded, choose_forward
from orchestrator.engines.embeddings.model import Encoder, load_encoder
from orchestrator.engines.embeddings.packing import Packed, pack
from orchestrator.engines.embeddings.pooling import pool
from orchestrator.engines.embeddings.recipe import Recipe, read_recipe
from orchestrator.engines.growth import Growth
from orchestrator.engines.sources import resolve_model
from orchestrator.engines.transfer import fetch
from orchestrator.errors import Code, OrchError
from orchestrator.estimate.model import Shape

# Measured on MiniLM: at 4,096 activations leave the caches, and it is 15 % slower.
_CPU_TOKENS = 1024
_FEWEST_TOKENS = 4096
_MOST_TOKENS = 131_072
_SAMPLE_LENGTH = 128


class EmbeddingsExecutor:
    """An encoder on its GPU."""

    def __init__(self, spec: EngineSpec) -> None:
        """Nothing is touched before `load`."""
        self._spec = spec
        self._device: torch.device
        self._recipe: Recipe
        self._largest: Shape | None = None
        self._encoder: Encoder
        self._forward: Forward

    @torch.inference_mode()
    def load(self) -> Loaded:
        """Put the model on the GPU, choose how to run it, and warm it up.

        Raises:
            OrchError: E102 the GPU does not start, E103 the model does not load,
                E104 it needs more memory than was reserved.
        """
        started = time.monotonic()
        self._device = cuda.open_device(self._spec)
        source = resolve_model(self._spec.model, Path(self._spec.folder))
        self._recipe = read_recipe(source.path, self._spec.params)
        try:
            self._encoder = load_encoder(
                source.path, self._spec.model, self._recipe, self._device
            )
            self._forward = self._choose_forward()
            budget = self._find_budget()
        except (RuntimeError, MemoryError) as error:
            if not cuda.is_out_of_memory(error):
                raise
            raise self.too_large(error) from error
        return Loaded(
            description=self._describe(source.label, budget),
            weights_bytes=self._encoder.weights_bytes,
            budget=budget,
            device=cuda.device_name(self._device),
            gpu=cuda.gpu_uuid() if self._device.type == "cuda" else "",
            seconds=time.monotonic() - started,
        )

    @torch.inference_mode()
    def launch(self, batch: Batch) -> Callable[[], Columns]:
        """Queue a batch; its vectors are float32 [rows, width].

        Raises:
            OrchError: E401, from the result: a vector is not finite.
        """
        if not isinstance(batch, TokenBatch):
            raise TypeError(f"expected a TokenBatch, got {type(batch).__name__}")
        vectors = fetch(self._vectors(pack(batch, self._device)))
        self._largest = _larger(self._shape(batch), self._largest)

        def result() -> Columns:
            embedding = vectors()
            # A sum shows one NaN among all, and is read in one pass.
            if not np.isfinite(embedding.sum(dtype=np.float64)):
                raise _not_finite(self._encoder.body.dtype)
            return {"embedding": embedding}

        return result

    def is_out_of_memory(self, error: BaseException) -> bool:
        """Whether this error means that the GPU had no memory left."""
        return cuda.is_out_of_memory(error)

    def trim(self) -> None:
        """Give unused cached memory back."""
        cuda.trim(self._device)

    def too_large(self, error: BaseException) -> OrchError:
        """E104 for that error: what was reserved, held and asked for."""
        what = f"The model '{self._spec.model.id}'"
        return cuda.out_of_memory(self._spec, self._device, error, what)

    def held(self) -> Held:
        """The most memory it has held on its GPU so far; nothing on a CPU device."""
        return Held(self._peak_bytes(), self._largest)

    def _peak_bytes(self) -> int:
        return cuda.peak_bytes(self._device)

    def _shape(self, batch: TokenBatch) -> Shape:
        """As the estimate counts it: packed tokens are one row."""
        if self._forward.name == "packed":
            return Shape(batch=1, length=len(batch.ids), packed=True)
        return Shape(batch=len(batch.rows), length=int(batch.lengths.max()))

    def _vectors(self, packed: Packed) -> torch.Tensor:
        vectors = pool(self._forward(packed), packed, self._recipe.pooling)
        for dense in self._encoder.dense:
            vectors = dense(vectors)
        vectors = vectors.float()
        return functional.normalize(vectors) if self._recipe.normalize else vectors

    def _choose_forward(self) -> Forward:
        if self._device.type == "cpu":
            return Padded(self._encoder)
        return choose_forward(self._encoder, self._device, self._recipe.max_length)

    def _find_budget(self) -> int:
        """Tokens a batch may hold: as many as are fastest and fit."""
        if self._device.type == "cpu":
            self._run(self._sample(1))
            return _CPU_TOKENS
        cuda.reset_peak(self._device)
        growth = Growth(
            _FEWEST_TOKENS,
            self._spec.budget or _MOST_TOKENS,
            self._spec.memory_bytes,
            base_bytes=self._peak_bytes(),
            promised=self._spec.budget,
        )
        while not growth.done:
            self._try(growth)
        self.trim()
        cuda.reset_peak(self._device)
        self._largest = None
        self._run(self._sample(growth.size))
        return growth.size

    def _try(self, growth: Growth) -> None:
        sample = self._sample(growth.size)
        try:
            self._run(sample)
            seconds = self._run(sample)
        except torch.OutOfMemoryError:
            if not growth.overflow():
                raise
            return
        growth.record(seconds, self._peak_bytes())

    def _run(self, batch: TokenBatch) -> float:
        started = time.monotonic()
        self.launch(batch)()
        return time.monotonic() - started

    def _sample(self, tokens: int) -> TokenBatch:
        length = min(_SAMPLE_LENGTH, self._recipe.max_length)
        return _sample(length, max(1, tokens // length), self._encoder.vocabulary)

    def _describe(self, label: str, budget: int) -> str:
        pooling = "+".join(self._recipe.pooling) + " pooling"
        if not self._recipe.stated:
            pooling += " (the model names none)"
        dtype = str(self._encoder.body.dtype).removeprefix("torch.")
        rows = f"{self._forward.name} rows, {budget:,} tokens a batch"
        return f"{label}, {dtype}, {pooling}, {rows}"


def _larger(one: Shape, other: Shape | None) -> Shape:
    return one if other is None else max(one, other, key=lambda shape: shape.tokens)


def _sample(length: int, rows: int, vocabulary: int) -> TokenBatch:
    ids = np.random.default_rng(0).integers(0, vocabulary, rows * length)
    lengths = np.full(rows, length, np.int32)
    return TokenBatch(np.arange(rows), ids.astype(np.int32), lengths)


def _not_finite(dtype: torch.dtype) -> OrchError:
    return OrchError.of(
        Code.USER_CODE_RAISED,
        f"The model gave a vector that is not finite, computed in {dtype}.",
        fix="Set model.dtype: float32 (or bfloat16).",
    )
