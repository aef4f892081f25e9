from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.render.plan import plan_table, shape
from orchestrator.scheduling.plan import Plan
from orchestrator.scheduling.schedule import schedule
from tests.scheduling.described import demand_from, snapshot_of

PLANS = Path(__file__).parent / "plans"
TIMES = "\N{MULTIPLICATION SIGN}"
MANY = "a: 24 | 24 ; b: 24 | 24"

# cluster, demand, golden file
CASES = [
    ("a: 24 4090 | 8 2070", "28 layers=32 heads=32/8", "stages"),
    (MANY, "28 layers=32 heads=32/8", "replicas_of_shards"),
    ("a: 24 | 24", "16 layers=32 heads=32/8", "beaten"),
    ("a(8c 64g):", "1 gang=0 cpu=4", "no_gpu"),
]


@pytest.mark.parametrize(("cluster", "demand", "golden"), CASES)
def test_the_plan_as_people_see_it(cluster: str, demand: str, golden: str) -> None:
    lines = plan_table(_plan(cluster, demand), "qwen")
    assert "\n".join(lines) + "\n" == (PLANS / f"{golden}.txt").read_text()
    assert max(map(len, lines)) <= 80


SHAPES = [
    (MANY, "28 layers=32 heads=32/8", "2 replicas x 2 GPUs"),
    (MANY, "28 layers=32 heads=32/8 1..2", "1 replica x 2 GPUs"),
    (MANY, "6 gang=2", "2 replicas x 2 GPUs"),
    (MANY, "6", "4 replicas x 1 GPU"),
    ("a: cpu 8 | cpu 8", "12 layers=4 heads=4", "1 replica x 2 CPU devices"),
    ("a(8c 8g):", "1 gang=0 cpu=1", "1 replica without a GPU"),
]


@pytest.mark.parametrize(("cluster", "demand", "said"), SHAPES)
def test_a_shape_in_short(cluster: str, demand: str, said: str) -> None:
    assert shape(_plan(cluster, demand)) == said.replace(" x ", f" {TIMES} ")


def _plan(cluster: str, demand: str) -> Plan:
    answer = schedule(demand_from(demand), snapshot_of(cluster))
    assert isinstance(answer, Plan)
    return answer
