"""When GPU memory ran out: who held it at that moment, and what is learned from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from orchestrator.controller.active import ActiveJob
from orchestrator.controller.core import Core
from orchestrator.controller.fleet import Engine
from orchestrator.errors import Code, Fault
from orchestrator.estimate.known import Seen
from orchestrator.estimate.measured import Peak
from orchestrator.estimate.model import Shape
from orchestrator.runtime.cluster import Cluster
from orchestrator.scheduling.diagnosis import refusal_lines
from orchestrator.scheduling.plan import Diagnosis
from orchestrator.scheduling.snapshot import Gpu
from orchestrator.units import format_memory

_MORE_PERCENT = 125
"""What is set aside next where nobody can say what would have been enough."""


@dataclass(frozen=True, slots=True)
class Lack:
    """E104, and the GPUs as they were just then."""

    fault: Fault
    gpus: tuple[Gpu, ...]


def lack_seen(cluster: Cluster, fault: Fault) -> Fault | Lack:
    """Look at the GPUs if memory ran out on one. In the pool: they may be far away."""
    if fault.code is not Code.OUT_OF_GPU_MEMORY:
        return fault
    return Lack(fault, tuple(cluster.gpus()))


def learn(
    core: Core,
    job: ActiveJob,
    engine: Engine,
    fault: Fault,
    gpus: Sequence[Gpu],
    pid: int = 0,
) -> Fault:
    """Keep what would have been enough, for the next plan of this engine.

    Args:
        core: The controller's.
        job: Whose engine it was.
        engine: What ran out of memory.
        fault: E104, as the engine said it.
        gpus: The newest reports.
        pid: The engine's process.

    Returns:
        The fault, with what the GPU had free and who else held memory of it.
    """
    fault = replace(fault, facts=(*fault.facts, *_others(core, engine, gpus, pid)))
    job.lack = fault
    reserved = engine.reserved_bytes
    needed = fault.needed_bytes or reserved * _MORE_PERCENT // 100
    if needed <= reserved:
        # Somebody else took what was promised: a place with room is all it needs.
        return fault
    shape = job.plan.demand.shape if job.plan else None
    peak = Peak(shape or Shape(batch=1), needed, engine.gpu.model)
    seen = Seen(peak, lacked=True)
    core.records.write(lambda: core.store.save_seen(engine.key, seen))
    job.tell(
        f"GPU memory ran out on {engine.gpu.name}: {format_memory(reserved)} was "
        f"reserved, the next place must have {format_memory(needed)}"
    )
    return fault


def nowhere(job: ActiveJob, diagnosis: Diagnosis) -> Fault | None:
    """E104, if the job's memory ran out and no GPU will ever have enough of it."""
    if diagnosis.ever or not job.machine.raises:
        return None
    before = job.lack.facts if job.lack else ()
    return Fault(
        Code.OUT_OF_GPU_MEMORY,
        f"GPU memory ran out, and no place has more: {diagnosis.summary}",
        facts=(*before, *refusal_lines(diagnosis)),
        fix="choose a smaller model, dtype or max_length, or add a larger GPU",
    )


def _others(
    core: Core, engine: Engine, gpus: Sequence[Gpu], pid: int
) -> tuple[str, ...]:
    gpu = next((gpu for gpu in gpus if gpu.uuid == engine.gpu.uuid), None)
    if gpu is None:
        return ()
    total, free = format_memory(gpu.total_bytes), format_memory(gpu.free_bytes)
    engines = core.fleet.engines.values()
    ours = {pid, *(e.pid for e in engines if e.gpu.uuid == gpu.uuid)}
    foreign = [
        f"held by another program: {format_memory(owner.used_bytes)}, "
        f"pid {owner.pid} {owner.name} ({owner.user})"
        for owner in gpu.owners
        if owner.pid not in ours
    ]
    return f"free afterwards: {free} of {total}", *(
        foreign or ["no other program was seen on the GPU"]
    )
