"""How much of a GPU can be promised: what is free, less what is promised unseen."""

from __future__ import annotations

from collections.abc import Collection

from orchestrator.scheduling.policy import DEFAULT, Policy
from orchestrator.scheduling.snapshot import Gpu, Reservation, Snapshot


def outstanding(reservation: Reservation) -> int:
    """The part of a promise that the GPU does not show yet, in bytes."""
    return max(0, reservation.reserved_bytes - reservation.used_bytes)


def available(
    gpu: Gpu, reservations: Collection[Reservation], headroom_bytes: int
) -> int:
    """Bytes that can be promised now: `free - sum(max(0, reserved - used)) - headroom`.

    `min(free, total - promised)` is not the same: where another program holds memory
    it promises the same free bytes twice. Negative if others took what was promised.

    Args:
        gpu: The GPU, as it last reported.
        reservations: All promises on this GPU.
        headroom_bytes: What is to be left alone.
    """
    promised = sum(outstanding(reservation) for reservation in reservations)
    return gpu.free_bytes - promised - headroom_bytes


def available_without(
    gpu: Gpu,
    reservations: Collection[Reservation],
    headroom_bytes: int,
    leaving: Collection[Reservation],
) -> int:
    """`available` once the engines of `leaving` are gone."""
    staying = [r for r in reservations if r not in leaving]
    return available(gpu, staying, headroom_bytes) + reclaimed(gpu, leaving)


def available_if_evicted(
    gpu: Gpu, reservations: Collection[Reservation], headroom_bytes: int
) -> int:
    """`available` once all idle engines are gone."""
    idle = [r for r in reservations if r.idle]
    return available_without(gpu, reservations, headroom_bytes, idle)


def reclaimed(gpu: Gpu, leaving: Collection[Reservation]) -> int:
    """Bytes that these engines give back; never more than the GPU lacks."""
    used = sum(reservation.used_bytes for reservation in leaving)
    return min(used, gpu.total_bytes - gpu.free_bytes)


def smallest_room(
    snapshot: Snapshot, exclude: Collection[str] = (), policy: Policy = DEFAULT
) -> int | None:
    """Bytes the smallest usable GPU could promise if it were idle.

    An estimate that stays below it can run on every GPU. `None`: no GPU is usable.
    """
    rooms = [
        gpu.total_bytes - policy.headroom_bytes(gpu)
        for gpu in snapshot.candidates()
        if not gpu.problem and not {gpu.name, gpu.uuid} & set(exclude)
    ]
    return min(rooms, default=None)
