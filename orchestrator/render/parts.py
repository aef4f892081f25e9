"""What stands behind the plan's REST: the parts of the estimate, in words."""

from __future__ import annotations

from orchestrator.scheduling.plan import Demand
from orchestrator.scheduling.snapshot import DeviceKind
from orchestrator.units import format_count, format_memory

_NAMES = {"kv_cache": "KV cache"}


def parts_note(demand: Demand) -> str:
    """`REST = activations 1.0 GiB + context 600 MiB, ...`; empty: not known."""
    if demand.whole:
        return ""
    known = demand.parts or (
        ("activations", demand.activation_bytes),
        ("context", demand.context_bytes),
    )
    parts = [(name, n) for name, n in known if n and name != "weights"]
    sums = " + ".join(
        f"{_NAMES.get(name, name)} {format_memory(n)}" for name, n in parts
    )
    return f"REST = {sums}{_batch(demand)}."


def whole_note(demand: Demand, kind: DeviceKind) -> str:
    """That a module's size stays unknown where nothing measures it; else empty."""
    if demand.whole and kind is DeviceKind.CPU:
        return "A module's memory is measured on GPUs only, not on CPU devices."
    return ""


def _batch(demand: Demand) -> str:
    shape = demand.shape
    if shape is None:
        return ""
    if shape.packed:
        return f", for batches of {format_count(shape.tokens)} tokens"
    rows = f"{format_count(shape.batch)} {'row' if shape.batch == 1 else 'rows'}"
    if shape.length == 1:
        return f", for batches of {rows}"
    return f", for batches of {rows} of {format_count(shape.length)} tokens"
