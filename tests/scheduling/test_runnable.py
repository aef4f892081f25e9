"""What can be run today: whole replicas; a cut only where nothing else ever does."""

from __future__ import annotations

import pytest

from orchestrator.scheduling.decide import only_cut
from orchestrator.scheduling.diagnosis import ways_out
from orchestrator.scheduling.plan import Diagnosis, Plan
from orchestrator.scheduling.policy import DEFAULT
from orchestrator.scheduling.runnable import schedule_runnable
from tests.scheduling.described import demand_from, outcome, snapshot_of

CUT = "layers=32 heads=32/8"
DUAL = "a: 24 | 24"

# cluster, demand, outcome, whether it is only cut
CASES = [
    (DUAL, f"16 {CUT}", "a:0 | a:1", False),
    (DUAL, f"28 {CUT}", "a:0 + a:1", True),
    ("a: 24 | 8", f"28 {CUT}", "a:0[0-25] + a:1[25-32]", True),
    # The planner would cut them; today they wait, or run whole.
    ("a: 24/12 pid=12 | 24/12 pid=12", f"16 {CUT}", "later: a:0 foreign", False),
    (DUAL, f"16 {CUT} latency", "a:0 | a:1", False),
    ("a: 24/2 pid=22 | 24/2 pid=22", f"28 {CUT}", "later: a:0 foreign", True),
    (DUAL, f"100 {CUT}", "never: a:0 too_small", False),
    (DUAL, f"16 {CUT} mode=tensor", "a:0 + a:1", True),
    (DUAL, "16 mode=tensor", "never: ", False),
    (DUAL, "28", "never: a:0 too_small", False),
]


@pytest.mark.parametrize(("cluster", "demand", "said", "cut"), CASES)
def test_whole_if_ever_possible_else_cut(
    cluster: str, demand: str, said: str, cut: bool
) -> None:
    answer = _answer(cluster, demand)
    assert outcome(answer).startswith(said)
    assert only_cut(answer) is cut


def test_replicas_name_the_cut_that_is_not_run() -> None:
    answer = _answer(DUAL, f"16 {CUT} latency")
    assert isinstance(answer, Plan)
    assert answer.layout is not None
    assert (answer.layout.mode, answer.layout.replicas) == ("replicate", 2)
    (other,) = answer.alternatives
    assert other.mode == "tensor"
    assert other.because == (
        "it answers a request 1.40x as fast as one GPU, but it is not run yet"
    )


def test_replicas_name_the_layouts_that_they_beat() -> None:
    answer = _answer(DUAL, f"16 {CUT}")
    assert isinstance(answer, Plan)
    assert [other.mode for other in answer.alternatives] == ["tensor", "pipeline"]


def test_each_gpu_is_measured_by_the_whole_model_where_none_is_enough() -> None:
    answer = _answer("a: 24/2 pid=22 | 8", f"100 {CUT}")
    assert isinstance(answer, Diagnosis)
    assert {refusal.reason for refusal in answer.refusals} == {"too_small"}
    assert "tensor: " in answer.summary
    assert ways_out(answer) == (
        "add 4 GPUs like a:0 (24.0 GiB), to cut the model (not run yet)",
        "add a GPU of 101.0 GiB or more: it holds the model whole",
    )


def test_more_gpus_for_whole_replicas_are_not_marked() -> None:
    answer = _answer(DUAL, f"16 3..3 {CUT}")
    assert isinstance(answer, Diagnosis)
    assert ways_out(answer)[:2] == (
        "set resources.gpus: 2",
        "add 1 GPU like a:0 (24.0 GiB)",
    )


def _answer(cluster: str, demand: str) -> Plan | Diagnosis:
    return schedule_runnable(demand_from(demand), snapshot_of(cluster), DEFAULT)
