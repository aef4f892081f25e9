"""The preparer of each engine. Nothing here imports torch: replicas stay light."""

from __future__ import annotations

from pathlib import Path

from orchestrator.engines.base import EngineSpec, Preparer
from orchestrator.engines.embeddings.prepare import EmbeddingsPreparer
from orchestrator.engines.sources import resolve_model
from orchestrator.engines.torch_module.prepare import TorchPreparer


def preparer_for(spec: EngineSpec, budget: int) -> Preparer:
    """What turns rows into batches for this engine.

    Args:
        spec: The engine.
        budget: `Loaded.budget` of its executor.

    Raises:
        OrchError: E103, the model's files cannot be read; E202 or E203, the job
            file asks for what the model cannot do.
    """
    if spec.name == "torch":
        return TorchPreparer(spec, budget)
    source = resolve_model(spec.model, Path(spec.folder))
    return EmbeddingsPreparer(source.path, spec.params, budget, spec.kind)
