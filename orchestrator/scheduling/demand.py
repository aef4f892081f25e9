"""From an estimate and what the job file allows to a demand."""

from __future__ import annotations

from orchestrator.estimate.base import Estimate
from orchestrator.scheduling.plan import Demand
from orchestrator.spec.job import Resources


def demand_of(
    estimate: Estimate,
    resources: Resources,
    engine_key: str,
    *,
    measured: bool = False,
) -> Demand:
    """What one replica asks of a GPU, and how many replicas the job may have.

    Args:
        estimate: The memory of one replica, for the cluster's kind of GPU.
        resources: The job file's.
        engine_key: What is to be loaded; equal keys share warm engines.
        measured: The estimate comes from an earlier run.
    """
    return Demand(
        engine_key=engine_key,
        weights_bytes=estimate.weights_bytes,
        activation_bytes=estimate.running_bytes,
        context_bytes=estimate.context_bytes,
        minimum=resources.gpus.minimum,
        maximum=resources.gpus.maximum,
        exclude=resources.exclude,
        measured=measured,
        whole=estimate.whole,
    )
