"""What a node has to run models on: its GPUs, or else shares of its CPU."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path

import psutil

from orchestrator.errors import Code, OrchError
from orchestrator.runtime.nvml import read_gpus
from orchestrator.scheduling.snapshot import DeviceKind, Gpu, Uuid
from orchestrator.units import parse_memory

MAX_CPU_DEVICES = 2
"""A machine without a GPU stands in for the dual-GPU box this program is for."""


def read_devices(node_id: str, node: str) -> list[Gpu]:
    """GPUs if this machine has any, else CPU devices. Reads afresh at each call."""
    fake = os.environ.get("ORCH_FAKE_GPUS")
    if fake:
        return fake_gpus(fake, node_id, node)
    cores = usable_cores()
    visible = visible_to_node()
    return read_gpus(node_id, node, visible, cores) or cpu_devices(node_id, node, cores)


def visible_to_node() -> str | None:
    """`CUDA_VISIBLE_DEVICES` as this node was started with.

    Ray hides all GPUs from an actor that has none, so the node agent asks its
    parent, the raylet.
    """
    parent = psutil.Process().parent()
    if parent is None or parent.name() != "raylet":
        return os.environ.get("CUDA_VISIBLE_DEVICES")
    try:
        return parent.environ().get("CUDA_VISIBLE_DEVICES")
    except psutil.Error:
        return None


def usable_cores() -> int:
    """CPU cores this process may run on."""
    return len(os.sched_getaffinity(0))


def cpu_devices(node_id: str, node: str, cores: int) -> list[Gpu]:
    """`cpu:0`, `cpu:1`: each a share of the node's cores and of its RAM.

    Raises:
        OrchError: E203, `ORCH_CPU_DEVICES` is no whole number above 0.
    """
    text = os.environ.get("ORCH_CPU_DEVICES", str(min(MAX_CPU_DEVICES, cores)))
    if not text.isdecimal() or int(text) == 0:
        raise _not_understood("ORCH_CPU_DEVICES", text, "2")
    count = int(text)
    memory = psutil.virtual_memory()
    return [
        Gpu(
            uuid=Uuid(f"cpu-{node_id}-{index}"),
            node_id=node_id,
            node=node,
            index=index,
            model=_cpu_name(),
            kind=DeviceKind.CPU,
            total_bytes=memory.total // count,
            free_bytes=memory.available // count,
            cores=max(1, cores // count),
        )
        for index in range(count)
    ]


def fake_gpus(text: str, node_id: str, node: str) -> list[Gpu]:
    """GPUs that are not there, from `2x24GiB,1x8GiB`; for plans and tests only.

    Raises:
        OrchError: E203, the text is not of that form.
    """
    gpus: list[Gpu] = []
    for part in text.split(","):
        try:
            number, memory = part.split("x", 1)
            count, size = int(number), parse_memory(memory)
        except ValueError:
            raise _not_understood("ORCH_FAKE_GPUS", text, "2x24GiB,1x8GiB") from None
        for _ in range(count):
            gpus.append(_fake(len(gpus), size, node_id, node))
    return gpus


def _not_understood(variable: str, text: str, example: str) -> OrchError:
    return OrchError.of(
        Code.BAD_VALUE,
        f"{variable}='{text}' is not understood",
        fix=f"write it like {example}",
    )


def _fake(index: int, size: int, node_id: str, node: str) -> Gpu:
    return Gpu(
        uuid=Uuid(f"fake-{node_id}-{index}"),
        node_id=node_id,
        node=node,
        index=index,
        model="fake GPU",
        kind=DeviceKind.CUDA,
        total_bytes=size,
        free_bytes=size,
        cores=1,
    )


def _cpu_name() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.machine()
    match = re.search(r"model name\s*:\s*(.+)", text)
    return " ".join(match[1].split()) if match else platform.machine()
