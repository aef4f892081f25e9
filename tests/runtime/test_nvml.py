"""What NVML cannot say must not break a report: here it can say nothing at all."""

from __future__ import annotations

from orchestrator.runtime.nvml import _peers, _problem
from orchestrator.scheduling.snapshot import Uuid


def test_what_it_cannot_say_is_left_out() -> None:
    assert _problem(None) == ""
    assert _peers(Uuid("GPU-00000000-0000-0000-0000-000000000000")) == ()
