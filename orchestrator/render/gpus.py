"""The table of `orch gpus`."""

from __future__ import annotations

from orchestrator.client.fleet_views import GpusView
from orchestrator.render.table import table
from orchestrator.scheduling.available import available_if_evicted
from orchestrator.scheduling.policy import DEFAULT
from orchestrator.scheduling.snapshot import Gpu, Reservation, Snapshot
from orchestrator.units import format_duration, format_gib, format_memory

_HEADER = (
    *("NODE", "GPU", "NAME", "TEMP", "UTIL", "USED / TOTAL"),
    *("RESERVED", "PLACEABLE", "OWNER"),
)
_RIGHT = ("GPU", "TEMP", "UTIL", "USED / TOTAL", "RESERVED", "PLACEABLE")
_BAR_CELLS = 10


def gpus_table(view: GpusView, *, bars: bool) -> list[str]:
    """The GPUs, one a line; `bars`: with a bar of the memory in use."""
    snapshot = Snapshot(view.gpus, view.reservations)
    rows = []
    for gpu in view.gpus:
        held = snapshot.on(gpu.uuid)
        reserved = sum(promise.reserved_bytes for promise in held)
        rows.append(
            (
                gpu.node,
                str(gpu.index),
                gpu.model,
                "-" if gpu.temperature is None else f"{gpu.temperature} °C",
                "-" if gpu.utilization is None else f"{gpu.utilization} %",
                _memory(gpu, bars=bars),
                format_memory(reserved) if reserved else "-",
                "-" if gpu.problem else format_memory(placeable_bytes(gpu, held)),
                "; ".join(_owners(gpu, held, view.keeps_seconds)) or "-",
            )
        )
    return table(_HEADER, rows, _RIGHT)


def placeable_bytes(gpu: Gpu, held: tuple[Reservation, ...]) -> int:
    """What a new job could have once the idle engines are gone."""
    headroom = DEFAULT.headroom_bytes(gpu)
    return max(0, available_if_evicted(gpu, held, headroom))


def _memory(gpu: Gpu, *, bars: bool) -> str:
    used = gpu.total_bytes - gpu.free_bytes
    text = f"{format_gib(used)} / {format_memory(gpu.total_bytes)}"
    if not bars or not gpu.total_bytes:
        return text
    full = round(used / gpu.total_bytes * _BAR_CELLS)
    return f"{'█' * full}{'░' * (_BAR_CELLS - full)} {text}"


def _owners(
    gpu: Gpu, held: tuple[Reservation, ...], keeps_seconds: dict[str, float]
) -> list[str]:
    said = [gpu.problem] if gpu.problem else []
    for promise in held:
        keeps = keeps_seconds.get(promise.engine)
        stays = "" if keeps is None else f" (keeps {format_duration(keeps)})"
        said.append(f"{promise.holder}{stays}")
    for owner in gpu.owners:
        used = format_memory(owner.used_bytes)
        said.append(f"pid {owner.pid} {owner.user} {owner.name} {used}")
    return said
