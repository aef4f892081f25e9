"""The executor of each engine. Imports torch; only engine processes import this."""

from __future__ import annotations

from orchestrator.engines.base import EngineSpec, Executor
from orchestrator.engines.embeddings.execute import EmbeddingsExecutor
from orchestrator.engines.torch_module.execute import TorchExecutor


def executor_for(spec: EngineSpec) -> Executor:
    """What loads this engine's model and runs its batches."""
    if spec.name == "torch":
        return TorchExecutor(spec)
    return EmbeddingsExecutor(spec)
