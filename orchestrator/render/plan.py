"""The plan as a table, and why there is none, in lines of plain text."""

from __future__ import annotations

from textwrap import wrap

from orchestrator.render.parts import parts_note, whole_note
from orchestrator.scheduling.diagnosis import demand_line, refusal_lines, ways_out
from orchestrator.scheduling.layout import Layout
from orchestrator.scheduling.plan import Demand, Diagnosis, Placement, Plan
from orchestrator.scheduling.snapshot import DeviceKind, noun
from orchestrator.units import GIB

WIDTH = 100
_TIMES = "\N{MULTIPLICATION SIGN}"
_UNKNOWN = "\N{EN DASH}"
_TITLES = (
    *("REPLICA", "NODE", "GPU", "FREE / TOTAL"),
    *("WEIGHTS", "ACTIVATIONS", "CONTEXT", "RESERVE", "LEFT", "NOTE"),
)
_RIGHT = ("WEIGHTS", "ACTIVATIONS", "CONTEXT", "RESERVE", "LEFT")
_MAKERS = ("NVIDIA ", "GeForce ", "AMD ")


def plan_table(plan: Plan, model: str) -> list[str]:
    """The plan: a line with its shape and reason, a row per replica, and notes.

    Rows add up as printed: WEIGHTS + ACTIVATIONS + CONTEXT = RESERVE, and
    FREE - RESERVE = LEFT.

    Args:
        plan: What the scheduler decided.
        model: The model's name.
    """
    if not plan.placements:
        nodes = ", ".join(host.node for host in plan.hosts)
        return [*_heading(plan), f"  on {nodes}"]
    memory = _memory(plan.placements)
    rows = [
        (_number(placement, plan), *_cells(placement, plan.demand, shown))
        for placement, shown in zip(plan.placements, memory, strict=True)
    ]
    if not any(row[-1] for row in rows):
        table = _aligned(_TITLES[:-1], [row[:-1] for row in rows])
    else:
        table = _aligned(_TITLES, rows)
    return [*_heading(plan), *table, *_notes(plan, model), *_beaten(plan)]


def diagnosis_lines(diagnosis: Diagnosis) -> list[str]:
    """Why the job cannot start now, or ever: its need, each GPU, and the options."""
    facts = [
        ("CAN START", ["later" if diagnosis.ever else "never on this cluster"]),
        ("BECAUSE", [diagnosis.summary]),
        ("NEEDS", [demand_line(diagnosis.demand)]),
        ("BLOCKED BY", list(refusal_lines(diagnosis))),
        ("OPTIONS", list(ways_out(diagnosis))),
    ]
    return [line for title, texts in facts for line in _fact(title, texts)]


def shape(plan: Plan) -> str:
    """The plan in short, as in `2 replicas x 1 GPU`, with a proper times sign."""
    if not plan.placements:
        return f"{_replicas(len(plan.hosts))} without a GPU"
    count = len({placement.replica for placement in plan.placements})
    shards = max(placement.shard for placement in plan.placements) + 1
    gpus = noun(plan.placements[0].gpu.kind, shards)
    return f"{_replicas(count)} {_TIMES} {shards} {gpus}"


def _replicas(count: int) -> str:
    return f"{count} {'replica' if count == 1 else 'replicas'}"


def _number(placement: Placement, plan: Plan) -> str:
    """`0`, or `0.1` for the second GPU of a replica that has several."""
    alone = all(other.shard == 0 for other in plan.placements)
    return f"{placement.replica}" if alone else f"{placement.replica}.{placement.shard}"


def _heading(plan: Plan) -> list[str]:
    return wrap(
        f"Plan  {shape(plan)}  ({plan.reason})",
        width=WIDTH,
        subsequent_indent=" " * 6,
        break_long_words=False,
        break_on_hyphens=False,
    )


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
        _note(placement),
    )


def _memory(placements: tuple[Placement, ...]) -> list[str]:
    """`23.1 / 24.0 GiB` for each, the numbers in line."""
    frees = [_decimal(_free(placement)) for placement in placements]
    totals = [_decimal(_tenths(placement.gpu.total_bytes)) for placement in placements]
    widest_free, widest_total = max(map(len, frees)), max(map(len, totals))
    return [
        f"{free:>{widest_free}} / {total:>{widest_total}} GiB"
        for free, total in zip(frees, totals, strict=True)
    ]


def _free(placement: Placement) -> int:
    """Tenths free; not less than the reserve by rounding alone."""
    return max(_tenths(placement.free_bytes), _tenths(placement.reserve_bytes))


def _parts(placement: Placement, demand: Demand) -> tuple[str, str, str]:
    """Weights, activations and context; rounded so that they add up to the reserve."""
    part, context = placement.weights_bytes, demand.context_bytes
    weights = demand.weights_bytes if part is None else part
    activations = placement.reserve_bytes - weights - context
    parts = (weights, activations, context)
    rounded = _round_to_sum(parts, _tenths(placement.reserve_bytes))
    shown = [_decimal(tenths) for tenths in rounded]
    return (shown[0] if weights else _UNKNOWN, shown[1], shown[2])


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


def _note(placement: Placement) -> str:
    notes = ["warm"] if placement.warm else []
    if placement.layers is not None:
        notes.append(f"layers {placement.layers[0]}-{placement.layers[1] - 1}")
    if placement.evict:
        notes.append(f"evicts {len(placement.evict)}")
    return ", ".join(notes)


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


def _notes(plan: Plan, model: str) -> list[str]:
    demand, placements = plan.demand, plan.placements
    notes = [f"RESERVE = weights + activations + context, {_source(demand, model)}."]
    notes += filter(None, (parts_note(demand), whole_note(demand, _kind(placements))))
    if any(placement.reclaimed_bytes for placement in placements):
        notes.append("FREE counts what warm and evicted idle engines hold.")
    evicted = [name for placement in placements for name in placement.evict]
    if evicted:
        notes.append(f"Idle engines that go first: {', '.join(evicted)}.")
    return [
        line
        for note in notes
        for line in wrap(note, width=WIDTH, initial_indent="  ", subsequent_indent="  ")
    ]


def _beaten(plan: Plan) -> list[str]:
    """The layouts that were not taken, and by what they were beaten."""
    return [
        line
        for other in plan.alternatives
        for line in wrap(
            f"Not {other.mode}{_in_short(other.layout)}: {other.because}.",
            width=WIDTH,
            initial_indent="  ",
            subsequent_indent="  ",
        )
    ]


def _in_short(layout: Layout | None) -> str:
    if layout is None:
        return ""
    return f" ({_replicas(layout.replicas)} {_TIMES} {layout.shards})"


def _kind(placements: tuple[Placement, ...]) -> DeviceKind:
    return placements[0].gpu.kind


def _source(demand: Demand, model: str) -> str:
    if demand.whole:
        return f"all that can be had: {model} is of unknown size"
    if demand.measured:
        return f"measured in an earlier run of {model}"
    return f"estimated for {model}"


def _fact(title: str, texts: list[str]) -> list[str]:
    lines = [
        line
        for text in texts
        for line in wrap(
            text,
            width=WIDTH - 12,
            subsequent_indent="  ",
            break_long_words=False,
            break_on_hyphens=False,
        )
    ]
    return [
        f"{title if position == 0 else '':<12}{line}"
        for position, line in enumerate(lines)
    ]
