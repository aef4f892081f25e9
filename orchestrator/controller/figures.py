"""What the metrics show of the controller: jobs, rates, GPUs, waits."""

from __future__ import annotations

from orchestrator.controller.active import ActiveJob
from orchestrator.controller.core import Core
from orchestrator.lifecycle.states import State
from orchestrator.runtime.metrics import Figures, GpuFigures, Rate
from orchestrator.scheduling.snapshot import Gpu


def figures(core: Core, gpus: tuple[Gpu, ...]) -> Figures:
    """The figures now, with what was counted since the last time. On the loop."""
    reserved: dict[str, int] = {}
    for engine in core.fleet.engines.values():
        bytes_before = reserved.get(engine.gpu.uuid, 0)
        reserved[engine.gpu.uuid] = bytes_before + engine.reserved_bytes
    waits, attempts, retries = core.tally.take()
    return Figures(
        jobs={str(state): n for state, n in core.store.counts().items()},
        rates=tuple(_rate(job) for job in core.jobs.values() if _works(job)),
        gpus=tuple(GpuFigures(gpu, reserved.get(gpu.uuid, 0)) for gpu in gpus),
        waits_s=waits,
        attempts=attempts,
        retries=retries,
    )


def _works(job: ActiveJob) -> bool:
    return job.machine.state is State.RUNNING and job.runner.rows_total is not None


def _rate(job: ActiveJob) -> Rate:
    return Rate(str(job.key), job.row.name, job.runner.rows_per_second)
