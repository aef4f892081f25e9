"""Leases: a GPU is ours while we hold a placement group of one bundle on it.

Ray binds one physical GPU to the group when it is reserved and keeps it until the
group is removed, also across actor restarts. To get the GPU that the scheduler chose:
reserve, ask which one it is, keep wrong ones as spacers, reserve again, let the
spacers go. So Ray's accounting and dashboard stay true, and other Ray programs on the
cluster are safe. A CPU device's lease is a bundle of its cores.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Set
from contextlib import suppress
from dataclasses import dataclass

import ray
from ray.exceptions import RayError
from ray.util.placement_group import (
    PlacementGroup,
    get_placement_group,
    placement_group,
    placement_group_table,
    remove_placement_group,
)
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from orchestrator.errors import Code, OrchError
from orchestrator.scheduling.snapshot import DeviceKind, Gpu

RESERVE_TIMEOUT_S = 2
PROBE_TIMEOUT_S = 30.0
MAX_TRIES = 16
_SEARCHING: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
"""By node. Two searches side by side would take each other's GPU for a spacer, and
both would be refused."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A GPU that Ray has given us, and the name under which it can be found again."""

    name: str
    group: PlacementGroup


class LeaseRefusedError(OrchError):
    """Ray does not give this GPU now: another Ray program holds it."""


# GPU tasks would end their process after every call without `max_calls=0`.
@ray.remote(num_cpus=0, max_calls=0, max_retries=0)
def _bound_gpu() -> str:
    ids = ray.get_runtime_context().get_accelerator_ids()["GPU"]
    return str(ids[0])


def acquire(name: str, gpu: Gpu) -> Lease:
    """Reserve exactly this GPU (or these cores) under this name.

    Raises:
        LeaseRefusedError: It is not to be had; nothing is held.
    """
    if gpu.kind is DeviceKind.CPU:
        return _reserve(name, gpu, {"CPU": float(gpu.cores)})
    with _SEARCHING[gpu.node_id]:
        return _find_gpu(name, gpu)


def _find_gpu(name: str, gpu: Gpu) -> Lease:
    spacers: list[Lease] = []
    try:
        for attempt in range(MAX_TRIES):
            # A name cannot be reused before its old group is quite gone.
            lease = _reserve(f"{name}:{attempt}", gpu, {"GPU": 1.0})
            spacers.append(lease)
            if _probe(lease.group) in (str(gpu.index), gpu.uuid):
                return spacers.pop()
        raise _refused(gpu, f"{MAX_TRIES} reservations gave other GPUs")
    except RayError as error:
        raise _refused(gpu, f"{type(error).__name__} while asking") from error
    finally:
        for spacer in spacers:
            release(spacer)


def release(lease: Lease) -> None:
    """Give the GPU back to Ray. Call it when its memory is seen free."""
    remove_placement_group(lease.group)


def find(name: str) -> Lease | None:
    """The lease of this name, if Ray still knows it."""
    with suppress(ValueError):
        return Lease(name, get_placement_group(name))
    return None


def sweep(keep: Set[str]) -> None:
    """Remove leases of ours whose names nobody knows any more."""
    for group in placement_group_table().values():
        name = group["name"]
        ours = name.startswith("orch:job-") and group["state"] != "REMOVED"
        if ours and name not in keep and (lease := find(name)) is not None:
            release(lease)


def _reserve(name: str, gpu: Gpu, bundle: dict[str, float]) -> Lease:
    try:
        group: PlacementGroup = placement_group(
            [bundle],
            name=name,
            lifetime="detached",
            bundle_label_selector=[{"ray.io/node-id": gpu.node_id}],
        )
    except RayError as error:
        raise _refused(gpu, str(error)) from error
    # `group.ready` is a task: it would wait for a process to start as well.
    if not group.wait(RESERVE_TIMEOUT_S):
        remove_placement_group(group)
        raise _refused(gpu, "another Ray program on this cluster holds it")
    return Lease(name, group)


def _probe(group: PlacementGroup) -> str:
    strategy = PlacementGroupSchedulingStrategy(group, 0)
    probe = _bound_gpu.options(num_gpus=0.0001, scheduling_strategy=strategy)
    return str(ray.get(probe.remote(), timeout=PROBE_TIMEOUT_S))


def _refused(gpu: Gpu, why: str) -> LeaseRefusedError:
    error = OrchError.of(
        Code.NOT_ENOUGH_GPU_MEMORY,
        f"Ray does not give {gpu.name} now: {why}",
        fix="`ray status` shows who holds it; the job waits and tries again",
    )
    return LeaseRefusedError(error.faults)
