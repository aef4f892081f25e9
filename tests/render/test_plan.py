from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.render.plan import diagnosis_lines, plan_table, shape
from orchestrator.scheduling.plan import Demand, Diagnosis, Plan
from orchestrator.scheduling.schedule import schedule
from orchestrator.scheduling.snapshot import Snapshot
from orchestrator.units import GIB, MIB
from tests.scheduling.described import demand_from, snapshot_of

PLANS = Path(__file__).parent / "plans"
TIMES = "\N{MULTIPLICATION SIGN}"
BERT = Demand("K", 420 * MIB, 1100 * MIB, 600 * MIB)


@pytest.mark.parametrize(
    ("cluster", "golden"),
    [
        ("local: 24/23.1 4090 | 24/22.8 4090", "two_gpus"),
        ("a: 24/21.4 idle.K=2.6 | 8/1 idle.L=7 ; b: 24", "warm"),
        ("a: cpu 8 | cpu 8", "cpus"),
    ],
)
def test_the_plan_as_people_see_it(cluster: str, golden: str) -> None:
    plan = plan_of(BERT, snapshot_of(cluster))
    lines = plan_table(plan, "bert-base")
    assert lines == expected(golden)
    assert max(map(len, lines)) <= 80


def test_a_need_that_is_not_known_shows_no_number_for_it() -> None:
    plan = plan_of(demand_from("1 whole"), snapshot_of("a: cpu 10"))
    *_, row, note, more, why = plan_table(plan, "mine:Net")
    assert row.split()[-4:] == ["\N{EN DASH}", "9.0", "9.0", "1.0"]
    assert f"{note} {more.strip()}" == (
        "  In GiB. RESERVE = weights + rest, all that can be had: "
        "mine:Net is of unknown size."
    )
    assert "measured on GPUs only" in why


def test_measured_is_said() -> None:
    measured = Demand("K", GIB, GIB, GIB, measured=True)
    plan = plan_of(measured, snapshot_of("a: 24"))
    assert "measured in an earlier run of m." in plan_table(plan, "m")[-2]
    assert shape(plan) == f"1 replica {TIMES} 1 GPU"


def test_small_weights_do_not_show_as_nothing() -> None:
    minilm = Demand("K", 43 * MIB, 650 * MIB, 600 * MIB)
    row = plan_table(plan_of(minilm, snapshot_of("a: 24")), "m")[-3]
    assert row.split()[-4:] == ["0.1", "1.2", "1.3", "22.7"]


amounts = st.integers(1, 12 * GIB)


@given(amounts, amounts, amounts, st.integers(0, 3 * GIB))
def test_every_row_adds_up_as_printed(
    weights: int, activations: int, context: int, used: int
) -> None:
    demand = Demand("K", weights, activations, context)
    snapshot = snapshot_of(f"a: 40/{(40 * GIB - used) / GIB:.9f}")
    row = plan_table(plan_of(demand, snapshot), "m")[-3]
    free, _, *parts, reserve, left = tenths(row.split("GPU", 1)[1])
    assert sum(parts) == reserve
    assert free - reserve == left
    exact = (weights, activations + context)
    for part, amount in zip(parts, exact, strict=True):
        assert abs(part - amount * 10 / GIB) < 3


def tenths(row: str) -> list[int]:
    return [round(10 * float(number)) for number in re.findall(r"\d+\.\d+", row)]


@pytest.mark.parametrize(
    ("cluster", "demand", "golden"),
    [
        ("local: 24/3.5 job=20.5 | 24/4 pid=20", "13.4", "later"),
        ("a: 24", "131.5", "never"),
        ("", "6", "empty"),
    ],
)
def test_the_diagnosis_as_people_see_it(cluster: str, demand: str, golden: str) -> None:
    diagnosis = schedule(demand_from(demand), snapshot_of(cluster))
    assert isinstance(diagnosis, Diagnosis)
    assert diagnosis_lines(diagnosis) == expected(golden)


def plan_of(demand: Demand, snapshot: Snapshot) -> Plan:
    plan = schedule(demand, snapshot)
    assert isinstance(plan, Plan)
    return plan


def expected(golden: str) -> list[str]:
    return (PLANS / f"{golden}.txt").read_text(encoding="utf-8").splitlines()
