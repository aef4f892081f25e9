"""One look at a model's files: where they are, its config, what its weights hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.engines.sources import read_config, resolve_model
from orchestrator.engines.weight_files import (
    TensorHeader,
    pickled_bytes,
    read_weight_headers,
)
from orchestrator.spec.job import Model


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A model as its files tell of it.

    Attributes:
        path: The folder that holds config.json.
        revision: The hub's commit, the package's version, or a folder's stamp.
        config: Its config.json.
        tensors: What its safetensors files hold, by name; empty for pickled weights.
        pickled_bytes: The size of these.
    """

    path: Path
    revision: str
    config: Mapping[str, Any]
    tensors: Mapping[str, TensorHeader]
    pickled_bytes: int = 0


def look_at(model: Model, folder: Path) -> ModelFiles:
    """Find the model's files and read what is small. May fetch them from the hub.

    Args:
        model: The job file's model section, with an `id`.
        folder: Where its relative paths start.

    Raises:
        OrchError: E103, they are not there or not right.
    """
    source = resolve_model(model, folder)
    tensors = read_weight_headers(source.path)
    return ModelFiles(
        path=source.path,
        revision=source.revision,
        config=read_config(source.path),
        tensors=tensors,
        pickled_bytes=0 if tensors else pickled_bytes(source.path),
    )
