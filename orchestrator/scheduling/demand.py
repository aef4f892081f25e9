"""From an estimate and what the job file allows to a demand."""

from __future__ import annotations

from orchestrator.estimate.base import Estimate
from orchestrator.estimate.model import Shape
from orchestrator.scheduling.layout import Mode, Objective, Pieces
from orchestrator.scheduling.plan import Demand
from orchestrator.spec.job import Placement, Resources

MILLI = 1000


def demand_of(
    estimate: Estimate,
    resources: Resources,
    engine_key: str,
    *,
    shape: Shape | None = None,
    placement: Placement | None = None,
    objective: str = Objective.THROUGHPUT,
    pieces: Pieces | None = None,
) -> Demand:
    """What one replica asks of a GPU, and how many replicas the job may have.

    Args:
        estimate: The memory of one replica, for the cluster's kind of GPU.
        resources: The job file's.
        engine_key: What is to be loaded; equal keys share warm engines.
        shape: The largest batch that the estimate is for.
        placement: The job file's, if it has one.
        objective: The job file's.
        pieces: How the model can be cut; `None`: it cannot.
    """
    forced = placement or Placement()
    return Demand(
        engine_key=engine_key,
        weights_bytes=estimate.weights_bytes,
        activation_bytes=estimate.running_bytes,
        context_bytes=estimate.context_bytes,
        minimum=resources.gpus.minimum,
        maximum=resources.gpus.maximum,
        exclude=resources.exclude,
        measured=estimate.measured,
        whole=estimate.whole,
        share=resources.share,
        cpu_milli=round((resources.cpus or 0) * MILLI),
        ram_bytes=resources.memory or 0,
        gpu_type=resources.gpu_type,
        pieces=pieces,
        objective=Objective(objective),
        mode=None if forced.mode == "auto" else Mode(forced.mode),
        replicas=forced.replicas,
        shards=forced.shards,
        parts=() if estimate.whole else estimate.parts(),
        shape=shape,
    )
