"""What the zygote does once, so that an engine forked from it starts at once.

transformers imports most of itself on first use: at the first `from_pretrained` and
the first forward. Doing both once here, with a model of a few numbers, pays for it.
"""

from __future__ import annotations

import tempfile

import numpy as np
import torch
import transformers

from orchestrator.engines.base import EngineSpec
from orchestrator.engines.embeddings.batches import TokenBatch
from orchestrator.engines.executors import executor_for
from orchestrator.scheduling.snapshot import DeviceKind
from orchestrator.spec.job import Model, Params

_TOKENS = 8


def preload() -> None:
    """Import and run everything that a first batch would import.

    Touches no CUDA and leaves no thread behind: neither survives a fork.
    """
    torch.set_num_threads(1)
    transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    with tempfile.TemporaryDirectory(prefix="orch-preload-") as folder:
        _write_tiny_model(folder)
        if torch.version.cuda is not None:
            # A forward asks whether CUDA captures a graph, which starts the driver.
            transformers.AutoModel.from_pretrained(folder)
            return
        executor = executor_for(_spec(folder))
        executor.load()
        executor.launch(_two_rows())()


def _write_tiny_model(folder: str) -> None:
    config = transformers.BertConfig(
        vocab_size=_TOKENS,
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=1,
        intermediate_size=8,
        max_position_embeddings=_TOKENS,
    )
    transformers.BertModel(config).save_pretrained(folder)


def _spec(folder: str) -> EngineSpec:
    return EngineSpec(
        name="embeddings",
        model=Model(id=folder),
        params=Params(max_length=_TOKENS),
        fields=("text",),
        kind=DeviceKind.CPU,
        gpu="",
        memory_bytes=0,
        cores=1,
        code={},
        folder=folder,
    )


def _two_rows() -> TokenBatch:
    """Of different lengths, so that masks are built."""
    ids = np.arange(5, dtype=np.int32)
    return TokenBatch(np.arange(2), ids, np.array([3, 2], np.int32))
