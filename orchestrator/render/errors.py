"""Faults as people read them."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.errors import Fault
from orchestrator.render.talk import Talk


def fault_lines(fault: Fault) -> list[str]:
    """One fault: headline, excerpt, facts, and the way out."""
    place = f"{fault.at}: " if fault.at else ""
    lines = [f"error[{fault.code} {fault.code.slug}]: {place}{fault.message}"]
    lines += [f"  {line}" for line in fault.excerpt]
    lines += [f"  {fact}" for fact in fault.facts]
    if fault.fix:
        lines.append(f"  fix: {fault.fix}")
    return lines


def show_faults(talk: Talk, faults: Sequence[Fault]) -> None:
    """All faults, and how many there are if there is more than one."""
    for fault in faults:
        headline, *rest = fault_lines(fault)
        talk.warn(headline, "bold red")
        for line in rest:
            talk.warn(line, "")
    if len(faults) > 1:
        talk.warn(f"{len(faults)} errors", "bold")
