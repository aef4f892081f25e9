"""What a plan says of the layouts it beat, and a diagnosis of what would fit."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from orchestrator.scheduling.diagnosis import diagnosis_fault
from orchestrator.scheduling.layout import Mode, Variant
from orchestrator.scheduling.plan import Demand, Diagnosis, Plan
from orchestrator.scheduling.schedule import schedule
from orchestrator.units import GIB
from tests.scheduling.described import demand_from, snapshot_of

TWO = "a: 24 | 24"
R, T, P = Mode.REPLICATE, Mode.TENSOR, Mode.PIPELINE

# cluster, demand, the modes that were not taken and why
BEATEN = [
    (
        TWO,
        "16 layers=32 heads=32/8",
        {
            T: "it gives 1.62x the rows/s of one GPU, not 1.97x",
            P: "it gives 1.00x the rows/s of one GPU, not 1.97x",
        },
    ),
    (
        TWO,
        "16 layers=32 heads=32/8 latency",
        {
            R: "it answers a request 1.00x as fast as one GPU, not 1.40x",
            P: "it answers a request 1.00x as fast as one GPU, not 1.40x",
        },
    ),
    (
        "a: 24 | 8",
        "28 layers=32 heads=32/8",
        {
            R: "no GPU has 28.0 GiB for a whole replica",
            T: "no node has enough equal GPUs with room for a part each",
        },
    ),
    (
        TWO,
        "28 layers=32 heads=31",
        {
            R: "no GPU has 28.0 GiB for a whole replica",
            T: "31 heads do not divide by 2",
        },
    ),
    (
        TWO,
        "28 layers=32",
        {
            R: "no GPU has 28.0 GiB for a whole replica",
            T: "its attention heads are not known",
        },
    ),
    (
        "a: 24 | 24 | 24 | 24",
        "60 layers=32 heads=32/8",
        {
            R: "no GPU has 60.0 GiB for a whole replica",
            T: "it takes 4 GPUs for a replica, not 3",
        },
    ),
    (
        TWO,
        "16 layers=32 heads=32/8 mode=pipeline",
        {R: "the job file says otherwise", T: "the job file says otherwise"},
    ),
]


@pytest.mark.parametrize(("cluster", "demand", "because"), BEATEN)
def test_a_plan_keeps_what_it_beat_and_by_what(
    cluster: str, demand: str, because: dict[Mode, str]
) -> None:
    plan = _plan(cluster, demand)
    assert {other.mode: other.because for other in plan.alternatives} == because


REASONS = [
    (
        "a: 24 | 8",
        "28 layers=32 heads=32/8",
        "no GPU that it may use has 28.0 GiB for all of the model; "
        "stages by free memory: 25 + 7 layers",
    ),
    (
        "a: 24 | 24 | 24 | 24",
        "28 layers=32 heads=32/8",
        "no GPU that it may use has 28.0 GiB for all of the model; "
        "2 equal GPUs have a part of every layer; 2 replicas of that",
    ),
    (
        TWO,
        "16 layers=32 heads=32/8 latency",
        "the job wants latency: 1.4 times as fast as one GPU; "
        "2 equal GPUs have a part of every layer",
    ),
    (
        TWO,
        "16 layers=32 heads=32/8 mode=tensor",
        "the job file asks for tensor parallel; "
        "2 equal GPUs have a part of every layer",
    ),
]


@pytest.mark.parametrize(("cluster", "demand", "reason"), REASONS)
def test_a_cut_model_says_why(cluster: str, demand: str, reason: str) -> None:
    assert _plan(cluster, demand).reason == reason


def test_what_is_expected_of_a_layout_is_what_was_measured() -> None:
    throughput = _plan(TWO, "16 layers=32 heads=32/8").layout
    latency = _plan(TWO, "16 layers=32 heads=32/8 latency").layout
    assert throughput is not None
    assert latency is not None
    assert (throughput.throughput_percent, throughput.speed_percent) == (197, 100)
    assert (latency.throughput_percent, latency.speed_percent) == (162, 140)


def test_each_gpu_of_a_cut_model_has_its_part() -> None:
    plan = _plan("a: 24 | 8", "28 layers=32 heads=32/8")
    first, second = plan.placements
    assert (first.replica, first.shard, second.replica, second.shard) == (0, 0, 0, 1)
    parts = [placement.weights_bytes or 0 for placement in plan.placements]
    assert sum(parts) == plan.demand.weights_bytes
    assert second.reserve_bytes < 8 * GIB
    assert first.reserve_bytes == parts[0] + GIB


CURES = [
    # each has 23.3 GiB to give and 21 to hold: that leaves 4.6 of the 20 GiB of cache
    (
        TWO,
        "61 layers=32 heads=32/8 cache=20",
        ["set a context of 1,792 tokens", "add 1 GPU like a:0 (24.0 GiB)"],
    ),
    ("a: 24", "28 layers=32 heads=32/8", ["add 1 GPU like a:0 (24.0 GiB)"]),
    (TWO, "28 layers=32 heads=32/8 1..1", ["set resources.gpus: 2"]),
    (TWO, "6 3 gang=1 cpu=1", ["set resources.gpus: 2", "add 1 GPU like a:0"]),
    ("a: 24 | 8", "16 layers=32 heads=32/8 mode=tensor", ["add 1 GPU like a:0"]),
    (TWO, "500 layers=32 heads=32/8", []),
]


@pytest.mark.parametrize(("cluster", "demand", "cures"), CURES)
def test_what_never_fits_says_what_would(
    cluster: str, demand: str, cures: list[str]
) -> None:
    diagnosis = _diagnosis(demand_from(demand), cluster)
    assert not diagnosis.ever
    for cure, begins in zip(diagnosis.cures, cures, strict=True):
        assert cure.text.startswith(begins)


def test_a_form_of_the_model_that_fits_is_named_and_one_that_does_not_is_not() -> None:
    demand = replace(
        demand_from("60 layers=32 heads=32/8"),
        variants=(
            Variant("int8", 50 * GIB, demand_from("50 layers=32 heads=32/8").pieces),
            Variant("awq-int4", 15 * GIB),
        ),
    )
    diagnosis = _diagnosis(demand, TWO)
    assert [cure.text for cure in diagnosis.cures] == [
        "take awq-int4: 15.0 GiB of weights",
        "add 1 GPU like a:0 (24.0 GiB)",
    ]
    assert diagnosis_fault(diagnosis).fix.startswith("take awq-int4")


def test_what_only_waits_has_no_cure() -> None:
    diagnosis = _diagnosis(demand_from("28 layers=32"), "a: 24 | 24 job=6")
    assert diagnosis.ever
    assert diagnosis.cures == ()


@pytest.mark.parametrize(
    "demand",
    ["28 layers=32 heads=32/8 cache=2", "99 layers=32 heads=32/8 cache=2", "6 share"],
)
def test_plans_and_diagnoses_of_pieces_survive_json(demand: str) -> None:
    asked = replace(
        demand_from(demand), variants=(Variant("int8", 1, demand_from(demand).pieces),)
    )
    answer = schedule(asked, snapshot_of("a(8c 8g): 24 nv cc8.9 | 8 nv"))
    data = json.loads(json.dumps(answer.to_json()))
    assert type(answer).from_json(data) == answer


def _plan(cluster: str, demand: str) -> Plan:
    answer = schedule(demand_from(demand), snapshot_of(cluster))
    assert isinstance(answer, Plan)
    return answer


def _diagnosis(demand: Demand, cluster: str) -> Diagnosis:
    answer = schedule(demand, snapshot_of(cluster))
    assert isinstance(answer, Diagnosis)
    return answer
