"""Loads an encoder, and says in plain words why one does not load."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
import transformers
from torch.nn import functional

from orchestrator.engines.cuda import is_out_of_memory
from orchestrator.engines.embeddings.fused import fuse
from orchestrator.engines.embeddings.recipe import Recipe
from orchestrator.engines.sources import check_weights, read_config, read_json
from orchestrator.errors import Code, OrchError
from orchestrator.spec.job import Model

_ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "Identity": lambda x: x,
    "Tanh": torch.tanh,
    "GELU": functional.gelu,
    "ReLU": functional.relu,
    "Sigmoid": torch.sigmoid,
}
_DTYPE_KEY = "dtype" if transformers.__version__ >= "4.56" else "torch_dtype"
_MISSING_ALLOWED = ("pooler.", "position_ids")
_REASON_LENGTH = 300


@dataclass(frozen=True, slots=True)
class Dense:
    """A linear layer after pooling."""

    weight: torch.Tensor
    bias: torch.Tensor | None
    activation: str

    def __call__(self, vectors: torch.Tensor) -> torch.Tensor:
        """Vectors [n, in] -> [n, out]."""
        inner = vectors.to(self.weight.dtype)
        return _ACTIVATIONS[self.activation](
            functional.linear(inner, self.weight, self.bias)
        )


@dataclass(frozen=True, slots=True)
class Encoder:
    """A model on its GPU, and the layers that follow its pooling.

    Attributes:
        body: The transformers model; gives hidden states.
        dense: The linear layers after pooling.
        pad_id: The token that fills padded rows.
        vocabulary: How many tokens it knows.
    """

    body: Any
    dense: tuple[Dense, ...]
    pad_id: int
    vocabulary: int

    @property
    def weights_bytes(self) -> int:
        """Memory of its weights."""
        tensors = [*self.body.parameters(), *self.body.buffers()]
        return sum(t.numel() * t.element_size() for t in tensors)


def load_encoder(
    path: Path, model: Model, recipe: Recipe, device: torch.device
) -> Encoder:
    """Load the model in `path` onto `device`.

    Raises:
        OrchError: E103, with the cause.
    """
    config = read_config(path)
    _check_architecture(config, model)
    check_weights(path, allow_pickle=model.allow_pickle)
    dtype = choose_dtype(model.dtype, device)
    body = _load(path, model, dtype)
    body.config.use_cache = False
    body.eval().requires_grad_(requires_grad=False)
    if device.type == "cuda":
        fuse(body)
    return Encoder(
        body=body.to(device),
        dense=tuple(_dense(folder, dtype, device) for folder in recipe.dense),
        pad_id=int(config.get("pad_token_id") or 0),
        vocabulary=int(body.config.vocab_size),
    )


def choose_dtype(dtype: str, device: torch.device) -> torch.dtype:
    """The job file's dtype; `auto`: float16 on a GPU, float32 on a CPU."""
    if dtype == "auto":
        return torch.float16 if device.type == "cuda" else torch.float32
    chosen: torch.dtype = getattr(torch, dtype)
    return chosen


def _check_architecture(config: dict[str, Any], model: Model) -> None:
    kind = config.get("model_type")
    if kind in transformers.CONFIG_MAPPING or model.trust_remote_code:
        return
    if config.get("auto_map"):
        raise _failed(
            f"The model '{model.id}' needs Python code of its own, which orch does"
            " not run unasked.",
            "Set model.trust_remote_code: true if you trust where it comes from.",
        )
    raise _failed(
        f"The model's architecture '{kind}' is unknown to transformers"
        f" {transformers.__version__}.",
        "Update it: pip install -U transformers; or use another model.",
    )


def _load(path: Path, model: Model, dtype: torch.dtype) -> Any:  # noqa: ANN401
    logging.getLogger("transformers").setLevel(logging.ERROR)
    transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        body, report = transformers.AutoModel.from_pretrained(
            str(path),
            local_files_only=True,
            output_loading_info=True,
            trust_remote_code=model.trust_remote_code,
            use_safetensors=None if model.allow_pickle else True,
            **{_DTYPE_KEY: dtype},
        )
    except Exception as error:
        if is_out_of_memory(error):
            raise
        reason = " ".join(str(error).split()) or type(error).__name__
        raise _failed(
            f"The model '{model.id}' does not load: {reason[:_REASON_LENGTH]}",
            "Try it in Python: transformers.AutoModel.from_pretrained(FOLDER).",
            f"folder: {path}",
        ) from error
    _check_report(report, model)
    return body


def _check_report(report: dict[str, Any], model: Model) -> None:
    missing = sorted(
        name
        for name in report.get("missing_keys", ())
        if not any(part in name for part in _MISSING_ALLOWED)
    )
    if missing:
        raise _failed(
            f"The weights of '{model.id}' are not those of its config.json:"
            f" {len(missing)} tensors are missing, the first is {missing[0]}.",
            "Give a folder whose config.json and weights belong together.",
        )


def _dense(folder: Path, dtype: torch.dtype, device: torch.device) -> Dense:
    config = read_json(folder / "config.json")
    activation = str(config.get("activation_function", "Identity")).rpartition(".")[2]
    if activation not in _ACTIVATIONS:
        raise _failed(
            f"The model's layer {folder.name} uses '{activation}', which is not"
            " supported.",
            f"Supported are {', '.join(_ACTIVATIONS)}.",
        )
    try:
        tensors = safetensors.torch.load_file(folder / "model.safetensors")
        weight, bias = tensors["linear.weight"], tensors.get("linear.bias")
    except (OSError, KeyError, safetensors.SafetensorError) as error:
        raise _failed(
            f"The weights of the model's layer {folder.name} do not load: {error}",
            "Get the model again, with safetensors weights.",
        ) from error
    return Dense(
        weight.to(device, dtype),
        None if bias is None else bias.to(device, dtype),
        activation,
    )


def _failed(message: str, fix: str, *facts: str) -> OrchError:
    return OrchError.of(Code.MODEL_FAILED_TO_LOAD, message, facts=facts, fix=fix)
