"""One forward pass of a cell, as its mode runs it."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from benchmarks.memory.cells import Cell
from orchestrator.engines.embeddings.batches import TokenBatch
from orchestrator.engines.embeddings.forward import Unpadded
from orchestrator.engines.embeddings.fused import fuse
from orchestrator.engines.embeddings.model import Encoder
from orchestrator.engines.embeddings.packing import PACKED, flash, pack
from orchestrator.engines.embeddings.pooling import pool

_FIRST_TOKEN = 10


def inputs(cell: Cell, module: Any, device: str) -> dict[str, torch.Tensor]:  # noqa: ANN401
    """Random tokens, or images in the model's dtype."""
    config = module.config
    if hasattr(config, "patch_size"):
        size = (cell.batch, 3, config.image_size, config.image_size)
        return {"pixel_values": torch.zeros(size, dtype=module.dtype, device=device)}
    ids = torch.arange(cell.batch * cell.length, device=device)
    ids = ids % (config.vocab_size - _FIRST_TOKEN) + _FIRST_TOKEN
    return {"input_ids": ids.view(cell.batch, cell.length)}


def infer(cell: Cell, module: Any, given: dict[str, torch.Tensor]) -> None:  # noqa: ANN401
    """Run it and drop what comes out."""
    if cell.mode == "engine":
        _packed(cell, module, given["input_ids"])
    elif cell.mode == "body":
        module(**given)
    else:
        every = cell.mode == "logits"
        module(**given, use_cache=not every, logits_to_keep=0 if every else 1)


def ready(cell: Cell, module: Any) -> None:  # noqa: ANN401
    """Change the model as the engine does before it puts it on the GPU."""
    if cell.mode == "engine":
        fuse(module)
        module.config.use_cache = False
        module.config._attn_implementation = PACKED  # noqa: SLF001 - as the engine does


def _packed(cell: Cell, module: Any, ids: torch.Tensor) -> None:  # noqa: ANN401
    flat = ids.flatten().cpu().numpy().astype(np.int32)
    lengths = np.full(cell.batch, cell.length, np.int32)
    batch = TokenBatch(np.arange(cell.batch), flat, lengths)
    offset = 2 if module.config.model_type == "xlm-roberta" else 0
    body = getattr(module, "model", module)
    encoder = Encoder(body, (), pad_id=0, vocabulary=int(module.config.vocab_size))
    packed = pack(batch, ids.device)
    pool(Unpadded(encoder, flash, offset)(packed), packed, ("mean",))
