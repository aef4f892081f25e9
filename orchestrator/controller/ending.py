"""How an engine ends: process, memory seen free, and only then the lease."""

from __future__ import annotations

import threading

from orchestrator.controller.core import Core
from orchestrator.controller.fleet import Engine, Leak
from orchestrator.scheduling.snapshot import DeviceKind

END_TIMEOUT_S = 10.0
FREE_TIMEOUT_S = 10.0
POLL_S = 0.1


def end_engine(core: Core, engine: Engine) -> Leak | None:
    """End an engine and give its lease back. Takes a while; call it in the pool.

    Returns:
        What still holds its memory, if that was not seen free in time (E106): then
        the GPU must be left out until it is.
    """
    if engine.handle is not None:
        core.cluster.end_replica(engine.handle, END_TIMEOUT_S)
    leak = _wait_free(core, engine)
    if engine.lease is not None:
        core.cluster.release(engine.lease)
    return leak


def _wait_free(core: Core, engine: Engine) -> Leak | None:
    if engine.gpu.kind is not DeviceKind.CUDA or not engine.pid:
        return None
    waiter = threading.Event()
    for _ in range(int(FREE_TIMEOUT_S / POLL_S)):
        owners = {
            owner.pid
            for gpu in core.cluster.gpus()
            if gpu.uuid == engine.gpu.uuid
            for owner in gpu.owners
        }
        if engine.pid not in owners:
            return None
        waiter.wait(POLL_S)
    return Leak(engine.gpu.uuid, engine.pid, engine.label)
