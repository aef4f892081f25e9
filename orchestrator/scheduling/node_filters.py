"""Why a node cannot take a replica although a GPU of it could."""

from __future__ import annotations

from orchestrator.scheduling.board import ENOUGH
from orchestrator.scheduling.plan import Demand, Reason
from orchestrator.scheduling.snapshot import Node
from orchestrator.units import format_gib

Objection = tuple[Reason, str]


def node_objection(
    demand: Demand, left: Node, whole: Node, free: int, all_idle: int
) -> Objection:
    """The first thing that is short: CPU, then RAM, then GPUs for a gang.

    Args:
        demand: What is asked for.
        left: The node with what is not promised.
        whole: The node with all it has.
        free: How many of its GPUs could take a part of the replica.
        all_idle: How many could if no job ran on them.
    """
    return (
        _cpu(demand, left, whole)
        or _ram(demand, left, whole)
        or _gang(demand, whole, free, all_idle)
    )


def _cpu(demand: Demand, left: Node, whole: Node) -> Objection | None:
    if left.cpu_milli >= demand.cpu_milli or whole.cpu_milli >= ENOUGH:
        return None
    detail = (
        f"node {whole.node} has {_cores(left.cpu_milli)} of {_cores(whole.cpu_milli)} "
        f"cores left, {_cores(demand.cpu_milli)} needed"
    )
    return _unless(demand.cpu_milli, whole.cpu_milli), detail


def _ram(demand: Demand, left: Node, whole: Node) -> Objection | None:
    if left.ram_bytes >= demand.ram_bytes or whole.ram_bytes >= ENOUGH:
        return None
    detail = (
        f"node {whole.node} has {format_gib(max(0, left.ram_bytes))} of "
        f"{format_gib(whole.ram_bytes)} GiB RAM left, "
        f"{format_gib(demand.ram_bytes)} needed"
    )
    return _unless(demand.ram_bytes, whole.ram_bytes), detail


def _gang(demand: Demand, whole: Node, free: int, all_idle: int) -> Objection:
    if demand.gang < 2:
        # It had room until the job's own replicas took it.
        return Reason.NODE_BUSY, f"node {whole.node} has room for no more replicas"
    detail = (
        f"a replica takes {demand.gang} GPUs of one node, "
        f"and {free} of node {whole.node} can be had"
    )
    return _unless(demand.gang, all_idle), detail


def _unless(needed: int, had: int) -> Reason:
    """Whether waiting helps: not if the idle node has less than is needed."""
    return Reason.NODE_TOO_SMALL if needed > had else Reason.NODE_BUSY


def _cores(milli: int) -> str:
    return f"{max(0, milli) / 1000:.1f}"
