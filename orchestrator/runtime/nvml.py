"""The door to NVML: what each GPU of this machine says of itself."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any, TypeVar

import psutil
import pynvml

from orchestrator.scheduling.snapshot import DeviceKind, Gpu, Owner, Uuid

T = TypeVar("T")


def read_gpus(node_id: str, node: str, visible: str | None, cores: int) -> list[Gpu]:
    """The GPUs of this machine that `visible` lets through, in its order.

    A GPU that fails to answer is in the list with its problem: one broken GPU never
    hides the others. Order is PCI bus order, as `CUDA_DEVICE_ORDER=PCI_BUS_ID`.

    Args:
        node_id: Ray's id of the node.
        node: The node's name to people.
        visible: `CUDA_VISIBLE_DEVICES` as the node was started with, or `None`.
        cores: The node's CPU cores, shared evenly among the GPUs.
    """
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return []
    chosen = _visible(visible, pynvml.nvmlDeviceGetCount())
    share = max(1, cores // max(1, len(chosen)))
    gpus = [
        _read_one(which, index, node_id, node, share)
        for index, which in enumerate(chosen)
    ]
    # Only those that jobs may have: the driver names all of the machine.
    listed = {gpu.uuid for gpu in gpus}
    return [replace(gpu, peers=_listed(gpu.peers, listed)) for gpu in gpus]


def _listed(peers: tuple[Uuid, ...], listed: set[Uuid]) -> tuple[Uuid, ...]:
    return tuple(peer for peer in peers if peer in listed)


def _visible(visible: str | None, count: int) -> list[int | str]:
    if visible is None:
        return list(range(count))
    chosen: list[int | str] = []
    for part in visible.split(","):
        name = part.strip()
        if name.isdigit():
            # CUDA stops at the first index that does not exist.
            if int(name) >= count:
                break
            chosen.append(int(name))
        elif name.startswith(("GPU-", "MIG-")):
            chosen.append(name)
        else:
            break
    return chosen


def _read_one(which: int | str, index: int, node_id: str, node: str, cores: int) -> Gpu:
    try:
        return _healthy(which, index, node_id, node, cores)
    except pynvml.NVMLError as error:
        return Gpu(
            uuid=Uuid(str(which) if isinstance(which, str) else f"{node_id}-{which}"),
            node_id=node_id,
            node=node,
            index=index,
            model="GPU",
            kind=DeviceKind.CUDA,
            total_bytes=0,
            free_bytes=0,
            cores=cores,
            problem=f"the driver does not answer for it: {error}",
        )


def _healthy(which: int | str, index: int, node_id: str, node: str, cores: int) -> Gpu:
    if isinstance(which, int):
        handle = pynvml.nvmlDeviceGetHandleByIndex(which)
    else:
        handle = pynvml.nvmlDeviceGetHandleByUUID(which)
    memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
    uuid = Uuid(_text(pynvml.nvmlDeviceGetUUID(handle)))
    return Gpu(
        uuid=uuid,
        node_id=node_id,
        node=node,
        index=index,
        model=_text(pynvml.nvmlDeviceGetName(handle)),
        kind=DeviceKind.CUDA,
        total_bytes=int(memory.total),
        free_bytes=int(memory.free),
        cores=cores,
        problem=_problem(handle),
        owners=_owners(handle),
        utilization=_optional(lambda: pynvml.nvmlDeviceGetUtilizationRates(handle).gpu),
        temperature=_optional(lambda: pynvml.nvmlDeviceGetTemperature(handle, 0)),
        compute=_optional(lambda: _compute(handle)) or 0,
        peers=_peers(uuid),
    )


def _compute(handle: Any) -> int:  # noqa: ANN401 - an opaque pointer
    major, minor = pynvml.nvmlDeviceGetCudaComputeCapability(handle)
    return int(major) * 10 + int(minor)


def _problem(handle: Any) -> str:  # noqa: ANN401 - an opaque pointer
    volatile = pynvml.NVML_VOLATILE_ECC
    uncorrected = pynvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED
    errors = _optional(
        lambda: pynvml.nvmlDeviceGetTotalEccErrors(handle, uncorrected, volatile)
    )
    if errors:
        return f"{errors} uncorrectable memory errors since boot"
    # Ampere and newer remap rows, and do without a broken one until they are reset.
    remapped = _optional(lambda: pynvml.nvmlDeviceGetRemappedRows(handle))
    if remapped and remapped[3]:
        return "a row of its memory is broken and could not be remapped"
    retiring = _optional(lambda: pynvml.nvmlDeviceGetRetiredPagesPendingStatus(handle))
    if retiring == pynvml.NVML_FEATURE_ENABLED:
        return "broken pages of its memory are in use until it is reset"
    return ""


@lru_cache(maxsize=64)
def _peers(uuid: Uuid) -> tuple[Uuid, ...]:
    """The GPUs of this machine that it reaches over NVLink; asked once."""
    count = _optional(pynvml.nvmlDeviceGetCount) or 0
    found = (_optional(partial(_peer, uuid, index)) for index in range(count))
    return tuple(peer for peer in found if peer)


def _peer(uuid: Uuid, index: int) -> Uuid | None:
    """The GPU of this index, if this one reaches it over NVLink."""
    other = pynvml.nvmlDeviceGetHandleByIndex(index)
    peer = Uuid(_text(pynvml.nvmlDeviceGetUUID(other)))
    if peer == uuid:
        return None
    handle = pynvml.nvmlDeviceGetHandleByUUID(uuid)
    over = pynvml.NVML_P2P_CAPS_INDEX_NVLINK
    status = pynvml.nvmlDeviceGetP2PStatus(handle, other, over)
    return peer if status == pynvml.NVML_P2P_STATUS_OK else None


def _owners(handle: Any) -> tuple[Owner, ...]:  # noqa: ANN401 - an opaque pointer
    processes: list[Any] = []
    for read in (
        pynvml.nvmlDeviceGetComputeRunningProcesses,
        pynvml.nvmlDeviceGetGraphicsRunningProcesses,
    ):
        processes.extend(_optional(partial(read, handle)) or [])
    by_pid = {int(p.pid): int(p.usedGpuMemory or 0) for p in processes}
    return tuple(_owner(pid, used) for pid, used in sorted(by_pid.items()))


def _owner(pid: int, used_bytes: int) -> Owner:
    name, user = "unknown process", "?"
    # In a container the pid may belong to the host: then it has no name here.
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        name, user = process.name(), process.username()
    return Owner(pid, name, user, used_bytes)


def _optional(read: Callable[[], T]) -> T | None:
    """`None` where this GPU or its driver cannot say it: it may work all the same."""
    try:
        return read()
    except pynvml.NVMLError:
        return None


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
