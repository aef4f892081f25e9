"""Processes of an earlier life, found by what stands in their environment.

Needed when an agent, its keeper and a shim are killed at one stroke: then nobody is
left to end what the shim guarded.
"""

from __future__ import annotations

import os
from contextlib import suppress

import psutil

END_TIMEOUT_S = 5.0


def end_marked(name: str, value: str) -> bool:
    """Kill every other process that has this variable; whether all are gone.

    They are looked for again until none is found, as one may have forked meanwhile.
    """
    for _ in range(16):
        marked = [each for each in psutil.process_iter() if _has(each, name, value)]
        if not marked:
            return True
        for each in marked:
            with suppress(psutil.Error):
                each.kill()
        psutil.wait_procs(marked, timeout=END_TIMEOUT_S)
    return False


def _has(process: psutil.Process, name: str, value: str) -> bool:
    with suppress(psutil.Error):
        return process.pid != os.getpid() and process.environ().get(name) == value
    return False
