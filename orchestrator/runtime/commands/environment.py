"""The environment of a command: the node's own, without what Ray needs for itself."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from orchestrator.runtime.commands.spec import CommandSpec

MARK = "ORCH_NODE_ID"
"""Names the node that a process belongs to, and so finds those left behind."""

_RAY_SETS = frozenset(
    {
        ("OMP_NUM_THREADS", "1"),
        ("PYTHONBREAKPOINT", "ray.util.rpdb.set_trace"),
        ("SPT_NOENV", "1"),
        *(
            (name, "")
            for name in (
                "ASCEND_RT_VISIBLE_DEVICES",
                "FURIOSA_DEVICES",
                "HABANA_VISIBLE_MODULES",
                "NEURON_RT_VISIBLE_CORES",
                "QBRUNTIME_VISIBLE_DEVICES",
                "RBLN_DEVICES",
                "TT_VISIBLE_DEVICES",
            )
        ),
    }
)
"""What Ray gives every actor, the agent too, that has no cores and no GPU."""


def command_environment(spec: CommandSpec, node_id: str) -> dict[str, str]:
    """All of a command's environment."""
    return {
        # Or a log would stay empty until a Python program's buffer is full.
        "PYTHONUNBUFFERED": "1",
        **_inherited(os.environ),
        **spec.env,
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
        "CUDA_VISIBLE_DEVICES": ",".join(spec.gpus),
        "ORCH_JOB_KEY": str(spec.key),
        "ORCH_ATTEMPT": str(spec.attempt),
        MARK: node_id,
    }


def _inherited(environment: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in environment.items()
        if not name.startswith("RAY_")
        and (name, value) not in _RAY_SETS
        and not (name == "TMPDIR" and Path(value).name.startswith("orch-ray-"))
    }
