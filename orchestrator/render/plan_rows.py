"""The rows of a plan's table: amounts that add up as they are printed."""

from __future__ import annotations

from orchestrator.scheduling.plan import Demand, Placement, Plan
from orchestrator.units import GIB

_UNKNOWN = "\N{EN DASH}"
_TITLES = (
    *("REPLICA", "NODE", "GPU", "FREE / TOTAL"),
    *("WEIGHTS", "REST", "RESERVE", "LEFT", "LAYERS", "NOTE"),
)
_RIGHT = ("WEIGHTS", "REST", "RESERVE", "LEFT")
_MAKERS = ("NVIDIA ", "GeForce ", "AMD ")


def plan_rows(plan: Plan) -> list[str]:
    """A row for each GPU, below their titles.

    Rows add up as printed, in GiB: WEIGHTS + REST = RESERVE, FREE - RESERVE = LEFT.
    """
    memory = _memory(plan.placements)
    rows = [
        (_number(placement, plan), *_cells(placement, plan.demand, shown))
        for placement, shown in zip(plan.placements, memory, strict=True)
    ]
    return _aligned(*_filled(_TITLES, rows))


def _number(placement: Placement, plan: Plan) -> str:
    """`0`, or `0.1` for the second GPU of a replica that has several."""
    alone = all(other.shard == 0 for other in plan.placements)
    return f"{placement.replica}" if alone else f"{placement.replica}.{placement.shard}"


def _cells(placement: Placement, demand: Demand, memory: str) -> tuple[str, ...]:
    gpu = placement.gpu
    reserve = _tenths(placement.reserve_bytes)
    return (
        gpu.node,
        f"{gpu.index} {_short_model(gpu.model)}".rstrip(),
        memory,
        *_parts(placement, demand),
        _decimal(reserve),
        _decimal(_free(placement) - reserve),
        _layers(placement),
        _note(placement),
    )


def _memory(placements: tuple[Placement, ...]) -> list[str]:
    """`23.1 / 24.0` for each, the numbers in line."""
    frees = [_decimal(_free(placement)) for placement in placements]
    totals = [_decimal(_tenths(placement.gpu.total_bytes)) for placement in placements]
    widest_free, widest_total = max(map(len, frees)), max(map(len, totals))
    return [
        f"{free:>{widest_free}} / {total:>{widest_total}}"
        for free, total in zip(frees, totals, strict=True)
    ]


def _free(placement: Placement) -> int:
    """Tenths free; not less than the reserve by rounding alone."""
    return max(_tenths(placement.free_bytes), _tenths(placement.reserve_bytes))


def _parts(placement: Placement, demand: Demand) -> tuple[str, str]:
    """Weights and the rest; rounded so that they add up to the reserve."""
    part = placement.weights_bytes
    weights = demand.weights_bytes if part is None else part
    parts = (weights, placement.reserve_bytes - weights)
    rounded = _round_to_sum(parts, _tenths(placement.reserve_bytes))
    shown = [_decimal(tenths) for tenths in rounded]
    return (shown[0] if weights else _UNKNOWN, shown[1])


def _round_to_sum(parts: tuple[int, ...], total_tenths: int) -> list[int]:
    """Tenths of a GiB for each part: the nearest that sum up (largest remainder).

    What is there does not show as 0.0 as long as the largest part can spare a tenth.
    """
    floors = [part * 10 // GIB for part in parts]
    by_remainder = sorted(
        range(len(parts)), key=lambda i: floors[i] * GIB - parts[i] * 10
    )
    for i in by_remainder[: total_tenths - sum(floors)]:
        floors[i] += 1
    for i, part in enumerate(parts):
        if part > 0 and floors[i] == 0 and max(floors) > 1:
            floors[floors.index(max(floors))] -= 1
            floors[i] = 1
    return floors


def _tenths(amount: int) -> int:
    return (amount * 10 + GIB // 2) // GIB


def _decimal(tenths: int) -> str:
    return f"{tenths // 10}.{tenths % 10}"


def _short_model(model: str) -> str:
    for maker in _MAKERS:
        model = model.removeprefix(maker)
    return model


def _layers(placement: Placement) -> str:
    layers = placement.layers
    return "" if layers is None else f"{layers[0]}-{layers[1] - 1}"


def _note(placement: Placement) -> str:
    notes = ["warm"] if placement.warm else []
    if placement.evict:
        notes.append(f"evicts {len(placement.evict)}")
    return ", ".join(notes)


def _filled(
    titles: tuple[str, ...], rows: list[tuple[str, ...]]
) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """The columns that have something in them."""
    columns = [at for at in range(len(titles)) if any(row[at] for row in rows)]
    kept = [tuple(row[at] for at in columns) for row in rows]
    return tuple(titles[at] for at in columns), kept


def _aligned(titles: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(titles, *rows, strict=True)]
    return [
        "  "
        + "  ".join(
            cell.rjust(width) if title in _RIGHT else cell.ljust(width)
            for title, cell, width in zip(titles, row, widths, strict=True)
        ).rstrip()
        for row in (titles, *rows)
    ]
