"""Why there is no plan, in numbers, and whether waiting helps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from orchestrator.errors import Code, Fault
from orchestrator.scheduling.decide import considered, impossible
from orchestrator.scheduling.layout import Mode
from orchestrator.scheduling.plan import Demand, Diagnosis, Reason, Refusal
from orchestrator.scheduling.policy import DEFAULT, Policy
from orchestrator.scheduling.snapshot import DeviceKind, noun
from orchestrator.units import GIB, format_gib

NEVER = frozenset(
    {Reason.EXCLUDED, Reason.WRONG_TYPE, Reason.TOO_SMALL, Reason.NODE_TOO_SMALL}
)
"""Waiting does not cure these. A sick GPU may come back, so it is not among them."""


def diagnose(
    demand: Demand,
    able: int,
    refusals: Sequence[Refusal],
    kind: DeviceKind,
    *,
    ever: bool | None = None,
) -> Diagnosis:
    """Say why fewer than `demand.minimum` GPUs can take a replica.

    Args:
        demand: What one replica asks for.
        able: How many GPUs can take one now.
        refusals: The other GPUs.
        kind: What the cluster has.
        ever: Whether waiting helps; `None`: as the refusals have it.
    """
    known = tuple(refusals)
    if ever is None:
        ever = able + _later(known) >= demand.minimum
    if demand.gang == 0:
        summary = f"it needs {_of_node(demand)} on one node, and none has that"
    elif able + len(known) == 0:
        summary = "the cluster has no GPU and no CPU device"
    else:
        need = _need(demand, kind)
        verdict = _now(able, known) if ever else _at_best(able, known)
        summary = "; ".join(
            [f"{need}, {verdict}{_histogram(known)}", *_cut_neither(demand)]
        )
    return Diagnosis(demand, known, ever, summary, able)


def diagnosis_fault(diagnosis: Diagnosis, policy: Policy = DEFAULT) -> Fault:
    """E101 with what each GPU has, lacks and is held by, and a way out."""
    verdict = "cannot start now" if diagnosis.ever else "can never run on this cluster"
    return Fault(
        Code.NOT_ENOUGH_GPU_MEMORY,
        f"the job {verdict}: {diagnosis.summary}",
        facts=(demand_line(diagnosis.demand), *refusal_lines(diagnosis)),
        fix="; or ".join(ways_out(diagnosis, policy)),
    )


def demand_line(demand: Demand) -> str:
    """What one replica needs, part by part."""
    source = "measured in an earlier run" if demand.measured else "estimated"
    if demand.whole:
        source = "at least; how much more is not known"
    parts = [
        ("weights", demand.weights_bytes),
        ("activations", demand.activation_bytes),
        ("context", demand.context_bytes),
    ]
    shown = " + ".join(f"{name} {format_gib(part)}" for name, part in parts if part)
    return (
        f"each replica needs {format_gib(demand.reserve_bytes)} GiB: {shown} ({source})"
    )


def refusal_lines(diagnosis: Diagnosis) -> tuple[str, ...]:
    """One line for each GPU that cannot take a replica, names aligned."""
    names = [refusal.gpu.name for refusal in diagnosis.refusals]
    width = max(map(len, names), default=0)
    return tuple(
        f"{name:<{width}}  {refusal.detail}"
        for name, refusal in zip(names, diagnosis.refusals, strict=True)
    )


def ways_out(diagnosis: Diagnosis, policy: Policy = DEFAULT) -> tuple[str, ...]:
    """What would let the job run; each is computed from the refusals."""
    if diagnosis.ever:
        return _patience(diagnosis)
    if diagnosis.cures:
        cures = tuple(cure.text for cure in diagnosis.cures)
        return (*cures, *ways_to_run_whole(diagnosis.demand, policy))
    reasons = {refusal.reason for refusal in diagnosis.refusals}
    ways: list[str] = []
    possible = diagnosis.able + _later(diagnosis.refusals)
    if possible:
        ways.append(f"set resources.gpus: {possible}")
    if Reason.EXCLUDED in reasons:
        ways.append("take GPUs out of resources.exclude")
    if Reason.TOO_SMALL in reasons:
        ways.append("choose a smaller model or dtype")
        if not diagnosis.demand.measured:
            ways.append("set resources.gpu_memory if you know that it takes less")
    least = policy.smallest_gpu_bytes(diagnosis.demand.reserve_bytes)
    ways.append(f"add a node with GPUs of {_gib_up(least)} GiB or more")
    return tuple(ways)


def ways_to_run_whole(demand: Demand, policy: Policy = DEFAULT) -> tuple[str, ...]:
    """What would let a model that can be cut run on one GPU."""
    if demand.pieces is None:
        return ()
    if Mode.REPLICATE not in considered(demand):
        return ("set placement.mode: replicate, and leave placement.shards out",)
    least = policy.smallest_gpu_bytes(demand.reserve_bytes)
    return (f"add a GPU of {_gib_up(least)} GiB or more: it holds the model whole",)


def _patience(diagnosis: Diagnosis) -> tuple[str, ...]:
    reasons = {refusal.reason for refusal in diagnosis.refusals}
    wait = "wait: it starts by itself once enough GPUs have room"
    end = "end the programs named above"
    return (wait, end) if Reason.FOREIGN_USE in reasons else (wait,)


def _gib_up(amount: int) -> str:
    """GiB with one decimal, rounded up: a GPU of this size does suffice."""
    tenths = -(-amount * 10 // GIB)
    return f"{tenths // 10}.{tenths % 10}"


def _later(refusals: Sequence[Refusal]) -> int:
    return sum(refusal.reason not in NEVER for refusal in refusals)


def _cut_neither(demand: Demand) -> list[str]:
    """Why it helps not to cut the model, where that was a question."""
    modes = considered(demand)
    if modes == (Mode.REPLICATE,) and demand.pieces is None:
        return []
    return [f"{mode}: {impossible(demand, mode)}" for mode in modes]


def _of_node(demand: Demand) -> str:
    cores = f"{demand.cpu_milli / 1000:.1f} cores"
    ram = f"{format_gib(demand.ram_bytes)} GiB of RAM"
    asked = [cores] * (demand.cpu_milli > 0) + [ram] * (demand.ram_bytes > 0)
    return " and ".join(asked) or "a node"


def _need(demand: Demand, kind: DeviceKind) -> str:
    if demand.gang > 1:
        gpus = f"{demand.gang} {noun(kind, demand.gang)} of one node"
        many = f"{demand.minimum} times " if demand.minimum > 1 else ""
        return f"it needs {many}{gpus} with {format_gib(demand.reserve_bytes)} GiB each"
    wanted = f"{demand.minimum} {noun(kind, demand.minimum)}"
    each = " each" if demand.minimum > 1 else ""
    return f"it needs {wanted} with {format_gib(demand.reserve_bytes)} GiB{each}"


def _now(able: int, refusals: Sequence[Refusal]) -> str:
    return f"{able} of {able + len(refusals)} can take it now"


def _at_best(able: int, refusals: Sequence[Refusal]) -> str:
    possible = able + _later(refusals)
    return f"{possible} of {able + len(refusals)} could ever take it"


def _histogram(refusals: Sequence[Refusal]) -> str:
    counts = Counter(refusal.reason for refusal in refusals)
    shown = [f"{counts[r]} {r.replace('_', ' ')}" for r in Reason if counts[r]]
    return f" ({', '.join(shown)})" if shown else ""
