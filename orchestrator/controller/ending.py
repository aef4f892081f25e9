"""How an engine ends: process, memory seen free, and only then the lease."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace

from orchestrator.controller.core import Core
from orchestrator.controller.fleet import Engine, Leak
from orchestrator.scheduling.snapshot import DeviceKind, Gpu

END_TIMEOUT_S = 10.0
FREE_TIMEOUT_S = 10.0
POLL_S = 0.1


@dataclass(frozen=True, slots=True)
class Ended:
    """How an engine's end went.

    Attributes:
        problem: What went wrong, for the log; the engine is given up all the same.
        leak: What still holds its memory, if that was not seen free in time (E106):
            then the GPU must be left out until it is.
        free_bytes: What its GPU had free at last.
    """

    problem: str = ""
    leak: Leak | None = None
    free_bytes: int = 0


def end_engine(core: Core, engine: Engine) -> Ended:
    """End an engine and give its lease back. Takes a while; call it in the pool."""
    pid = engine.pid
    if engine.handle is not None:
        pid = core.cluster.end_replica(engine.handle, END_TIMEOUT_S) or pid
    free_bytes, leak = _wait_free(core, engine, pid)
    if engine.lease is not None:
        core.cluster.release(engine.lease)
    return Ended(leak=leak, free_bytes=free_bytes)


def _wait_free(core: Core, engine: Engine, pid: int) -> tuple[int, Leak | None]:
    """Wait until the GPU does not show the process any more."""
    waiter = threading.Event()
    gpu = _newest(core, engine)
    if engine.gpu.kind is not DeviceKind.CUDA or not pid:
        return gpu.free_bytes, None
    for _ in range(int(FREE_TIMEOUT_S / POLL_S)):
        if pid not in {owner.pid for owner in gpu.owners}:
            return gpu.free_bytes, None
        waiter.wait(POLL_S)
        gpu = _newest(core, engine)
    return gpu.free_bytes, Leak(engine.gpu.uuid, pid, engine.label)


def _newest(core: Core, engine: Engine) -> Gpu:
    """What its GPU says now; without owners if its node is gone."""
    found = (gpu for gpu in core.cluster.gpus() if gpu.uuid == engine.gpu.uuid)
    return next(found, replace(engine.gpu, owners=()))
