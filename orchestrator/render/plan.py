"""The plan as a table, and why there is none, in lines of plain text."""

from __future__ import annotations

from textwrap import wrap

from orchestrator.render.parts import parts_note, whole_note
from orchestrator.render.plan_rows import plan_rows
from orchestrator.scheduling.diagnosis import demand_line, refusal_lines, ways_out
from orchestrator.scheduling.layout import Layout
from orchestrator.scheduling.plan import Demand, Diagnosis, Placement, Plan
from orchestrator.scheduling.snapshot import DeviceKind, noun

WIDTH = 80
_TIMES = "\N{MULTIPLICATION SIGN}"


def plan_table(plan: Plan, model: str) -> list[str]:
    """The plan: a line with its shape and reason, a row per replica, and notes.

    Args:
        plan: What the scheduler decided.
        model: The model's name.
    """
    if not plan.placements:
        nodes = ", ".join(host.node for host in plan.hosts)
        return [*_heading(plan), f"  on {nodes}"]
    return [*_heading(plan), *plan_rows(plan), *_notes(plan, model), *_beaten(plan)]


def diagnosis_lines(diagnosis: Diagnosis) -> list[str]:
    """Why the job cannot start now, or ever: its need, each GPU, and the options."""
    facts = [
        ("CAN START", ["later" if diagnosis.ever else "never on this cluster (E101)"]),
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


def _heading(plan: Plan) -> list[str]:
    return wrap(
        f"Plan  {shape(plan)}  ({plan.reason})",
        width=WIDTH,
        subsequent_indent=" " * 6,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _notes(plan: Plan, model: str) -> list[str]:
    demand, placements = plan.demand, plan.placements
    notes = [f"In GiB. RESERVE = weights + rest, {_source(demand, model)}."]
    notes += filter(None, (parts_note(demand), whole_note(demand, _kind(placements))))
    if any(placement.reclaimed_bytes for placement in placements):
        notes.append("FREE counts what warm and evicted idle engines hold.")
    evicted = [name for placement in placements for name in placement.evict]
    if evicted:
        notes.append(f"Idle engines that go first: {', '.join(evicted)}.")
    return [line for note in notes for line in _indented(note)]


def _beaten(plan: Plan) -> list[str]:
    """The layouts that were not taken, and by what they were beaten."""
    return [
        line
        for other in plan.alternatives
        for line in _indented(
            f"Not {other.mode}{_in_short(other.layout)}: {other.because}."
        )
    ]


def _indented(text: str) -> list[str]:
    return wrap(
        text,
        width=WIDTH,
        initial_indent="  ",
        subsequent_indent="    ",
        break_long_words=False,
        break_on_hyphens=False,
    )


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
