"""What one replica asks of one node: the part of a demand that filters look at."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.scheduling.plan import Demand


@dataclass(frozen=True, slots=True)
class Request:
    """What must be free on one node at once. Equal requests have equal answers."""

    gang: int
    """GPUs, each with `gpu_bytes`; 0: only CPU and RAM."""
    gpu_bytes: int
    share: bool
    """On a GPU beside others that share; else the GPU must have no job at all."""
    cpu_milli: int
    ram_bytes: int
    gpu_type: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    job: str = ""


def request_of(demand: Demand, gpu_bytes: int | None = None) -> Request:
    """What each replica of this demand asks for.

    Args:
        demand: The demand.
        gpu_bytes: On each GPU, if that is not the whole replica.
    """
    whole = demand.reserve_bytes if demand.gang else 0
    return Request(
        gang=demand.gang,
        gpu_bytes=whole if gpu_bytes is None else gpu_bytes,
        share=demand.share,
        cpu_milli=demand.cpu_milli,
        ram_bytes=demand.ram_bytes,
        gpu_type=demand.gpu_type,
        exclude=demand.exclude,
        job=demand.job,
    )
