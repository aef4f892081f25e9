from __future__ import annotations

import pytest

from orchestrator.scheduling.plan import Plan
from orchestrator.scheduling.recheck import recheck
from orchestrator.scheduling.schedule import schedule
from tests.scheduling.described import demand_from, snapshot_of

# planned on, demand, newest report, refusal
CASES = [
    ("a: 24 | 24", "6", "a: 24 | 24", None),
    ("a: 24 | 24", "6", "a: 24/6 | 24/10", None),
    ("a: 24 | 24", "6", "a: 24 | 24/6-", "a:1 foreign_use"),
    ("a: 24 | 24", "6", "a: 24/2 pid=22 | 24", "a:0 foreign_use"),
    ("a: 24 | 24", "6", "a: 24 | 24 sick", "a:1 unhealthy"),
    ("a: 24 | 24", "6", "a: 24", "a:1 unhealthy"),
    ("a: 24", "6", "a: 24 job=6/0", "a:0 busy"),
    # headroom may be used up between plan and lease, promises may not
    ("a: 10/6.3", "6", "a: 10/6", None),
    ("a: 10/9", "6", "a: 10/9 idle.L=4/0", "a:0 busy"),
    ("a: 10/9", "6", "a: 10/9 idle.L=3/0", None),
    # warm engines
    ("a: 24/18 idle.K=6", "6", "a: 24/18 idle.K=6", None),
    ("a: 24/18 idle.K=6", "6", "a: 24", "a:0 busy"),
    ("a: 24/18 idle.K=6", "6", "a: 24/18 job=6", "a:0 busy"),
    # an eviction that has already happened is as good
    ("a: 8/2 idle.L=6", "6", "a: 8/2 idle.L=6", None),
    ("a: 8/2 idle.L=6", "6", "a: 8", None),
    ("a: 8/2 idle.L=6", "6", "a: 8/1 idle.L=6 pid=1", None),
    ("a: 8/2 idle.L=6", "6", "a: 8/1 pid=7", "a:0 foreign_use"),
    # a whole GPU asks for what it was promised, no more
    ("a: cpu 10", "2 whole", "a: cpu 10/9.5", None),
    ("a: cpu 10", "2 whole", "a: cpu 10/8", "a:0 foreign_use"),
]


@pytest.mark.parametrize(("planned", "demand", "newest", "refused"), CASES)
def test_a_plan_is_checked_on_the_newest_report(
    planned: str, demand: str, newest: str, refused: str | None
) -> None:
    plan = schedule(demand_from(demand), snapshot_of(planned))
    assert isinstance(plan, Plan)
    refusal = recheck(plan, snapshot_of(newest))
    said = refusal and f"{refusal.gpu.name} {refusal.reason}"
    assert said == refused


def test_a_missing_engine_is_named() -> None:
    plan = schedule(demand_from("6"), snapshot_of("a: 24/18 idle.K=6"))
    assert isinstance(plan, Plan)
    refusal = recheck(plan, snapshot_of("a: 24"))
    assert refusal is not None
    assert refusal.detail == "its warm engine K@a:0 is gone or taken"
