from __future__ import annotations

import json

import pytest

from orchestrator.scheduling.plan import Diagnosis, Placement, Plan
from orchestrator.scheduling.policy import Policy
from orchestrator.scheduling.schedule import schedule
from orchestrator.units import GIB
from tests.scheduling.described import demand_from, outcome, snapshot_of

CASES = [
    # a copy on every GPU there is
    ("a: 24", "6", "a:0"),
    ("a: 24 | 24", "6", "a:0 | a:1"),
    ("a: 24/23.1 4090 | 24/22.8 4090", "6", "a:0 | a:1"),
    ("a: 24 | 24 ; b: 24 | 24", "6", "a:0 | a:1 | b:0 | b:1"),
    ("b: 24 ; a: 24", "6", "a:0 | b:0"),
    # unequal GPUs
    ("a: 24 | 8", "6", "a:0 | a:1"),
    ("a: 24 | 8", "7.7", "a:0 | a:1"),
    ("a: 24 | 8", "7.8", "a:0"),
    ("a: 8 | 24", "20", "a:1"),
    ("a: 8 | 24", "20 2", "never: a:0 too_small"),
    ("a: 8 | 8 ; b: 80", "40", "b:0"),
    # exact fits: headroom is 3 % of the total, at most 1 GiB
    ("a: 10/6.3", "6", "a:0"),
    ("a: 10/6.3-", "6", "later: a:0 foreign_use"),
    ("a: 10/6.3", "6+", "later: a:0 foreign_use"),
    ("a: 10", "9.7+", "a:0"),
    ("a: 10", "9.7++", "never: a:0 too_small"),
    ("a: 80/7", "6", "a:0"),
    ("a: 80/7-", "6", "later: a:0 foreign_use"),
    ("a: 80", "79", "a:0"),
    ("a: 80", "79+", "never: a:0 too_small"),
    ("a: cpu 8", "8", "a:0"),
    ("a: cpu 8", "8+", "never: a:0 too_small"),
    # how many GPUs the job may have
    ("a: 24 | 24", "6 2", "a:0 | a:1"),
    ("a: 24 | 24", "6 3", "never:"),
    ("a: 24 | 24 | 24", "6 1..2", "a:0 | a:1"),
    ("a: 24 | 24/20 | 24", "6 1..2", "a:0 | a:2"),
    ("a: 24/10 ; b: 24/20", "6 1..1", "b:0"),
    ("a: 8 | 24", "6 1..1", "a:1"),
    ("a: 24 | 24 job=6", "6 2", "later: a:1 busy"),
    ("a: 24 | 24 job=6", "6 1..2", "a:0"),
    # left out
    ("a: 24 | 24", "6 -a:0", "a:1"),
    ("a: 24 | 24", "6 -uuid-a:1", "a:0"),
    ("a: 24 | 24", "6 -a:0 -a:1", "never: a:0 excluded | a:1 excluded"),
    ("a: 24 sick | 24", "6", "a:1"),
    ("a: 24 sick", "6", "later: a:0 unhealthy"),
    ("a: 4 sick", "6", "never: a:0 too_small"),
    ("a: 24 sick", "6 -a:0", "never: a:0 excluded"),
    # other jobs of ours: a GPU has one job
    ("a: 24/17 job=6", "6", "later: a:0 busy"),
    ("a: 24/24 job=6/0", "6", "later: a:0 busy"),
    ("a: 24/17 job=6 | 24", "6", "a:1"),
    # programs that are not ours
    ("a: 24/4 pid=20", "6", "later: a:0 foreign_use"),
    ("a: 24/4 pid=20 | 24", "6", "a:1"),
    ("a: 24/10 pid=14", "6", "a:0"),
    ("a: 24/4", "6", "later: a:0 foreign_use"),
    # warm engines
    ("a: 24/17 idle.K=6 | 24", "6", "a:0 warm | a:1"),
    ("a: 24/17 idle.K=6 | 24", "6 1..1", "a:0 warm"),
    ("a: 24 | 24/17 idle.K=6", "6 1..1", "a:1 warm"),
    ("a: 8/1.7 idle.K=6", "6", "a:0 warm"),
    ("a: 8/1.7 idle.K=6", "7.4", "a:0 warm"),
    ("a: 8/1 idle.K=6/5 pid=2", "6", "later: a:0 foreign_use"),
    ("a: 24/18 idle.K=6/6 idle.L=6/0", "6", "a:0 warm"),
    ("a: 24/6 idle.K=6 idle.L=12", "16", "a:0 warm -L@a:0#1"),
    # a warm engine whose unseen promise was taken by others starts anew
    ("a: 24/9 idle.K=20/4 pid=11", "6", "a:0 -K@a:0"),
    # eviction: as little as possible, and rather not at all
    ("a: 24/18 idle.L=6", "6", "a:0"),
    ("a: 8/2 idle.L=6", "6", "a:0 -L@a:0"),
    ("a: 8/8 idle.L=6/0", "6", "a:0 -L@a:0"),
    ("a: 24/6 idle.L=6 idle.M=12", "6", "a:0 -M@a:0#1"),
    ("a: 24/6 idle.L=6 idle.M=12", "20", "a:0 -M@a:0#1 -L@a:0"),
    ("a: 24/6 idle.L=18 | 24/12", "6 1..1", "a:1"),
    ("a: 8/0 idle.L=6 pid=2", "6", "later: a:0 foreign_use"),
    # an idle engine beside a running job does not make the GPU free
    ("a: 24/12 idle.K=6 job=6", "6", "later: a:0 busy"),
    # CPU devices: only where no GPU was found at all
    ("a: cpu 8 | cpu 8", "6", "a:0 | a:1"),
    ("a: cpu 8 | cpu 8 ; b: 24", "6", "b:0"),
    ("a: cpu 8 | cpu 8 ; b: 4", "6", "never: b:0 too_small"),
    ("a: cpu 8 | cpu 8 ; b: 24 sick", "6", "later: b:0 unhealthy"),
    ("a: cpu 8/5 | cpu 8", "6", "a:1"),
    ("a: cpu 8/7 idle.K=6/1", "6", "a:0 warm"),
    # a need that is not known: the GPU whole, and nothing idle beside it
    ("a: 24", "2 whole", "a:0"),
    ("a: 24/18 idle.L=6", "2 whole", "a:0 -L@a:0"),
    ("a: 24/2 idle.K=22", "2 whole", "a:0 warm"),
    ("a: 24/2", "2 whole", "later: a:0 foreign_use"),
    ("a: 24 job=20/0", "2 whole", "later: a:0 busy"),
    # nothing there
    ("", "6", "never:"),
]


@pytest.mark.parametrize(("cluster", "demand", "expected"), CASES)
def test_a_cluster_and_a_demand_give_this(
    cluster: str, demand: str, expected: str
) -> None:
    answer = schedule(demand_from(demand), snapshot_of(cluster))
    assert outcome(answer) == expected


REASONS = [
    ("a: 24/23.1", "0.6", "the model fits on one GPU (0.6 of 23.1 GiB free)"),
    (
        "a: 24/23.1 | 24/23.1",
        "6",
        "the model fits on one GPU (6.0 of 23.1 GiB free), "
        "so a copy on each gives the most rows/s",
    ),
    (
        "a: 24/23.1 | 8/7.5",
        "6",
        "the model fits on one GPU (6.0 of 7.5 to 23.1 GiB free), "
        "so a copy on each gives the most rows/s",
    ),
    (
        "a: cpu 8 | cpu 8",
        "6",
        "no GPU was found on this cluster, so it runs on CPUs; "
        "the model fits on one CPU device (6.0 of 8.0 GiB free), "
        "so a copy on each gives the most rows/s",
    ),
    (
        "a: 24 | 24 | 24",
        "6 1..2",
        "the model fits on one GPU (6.0 of 24.0 GiB free), "
        "so a copy on each gives the most rows/s; "
        "1 more GPU could take one, but the job asks for at most 2",
    ),
    (
        "a: 24 | 4 | 24 sick | 24 job=6 | 24/3 | 24",
        "6 -a:0",
        "the model fits on one GPU (6.0 of 24.0 GiB free); left out: "
        "a:0 (excluded by the job), a:1 (too small: 4.0 GiB), "
        "a:2 (unhealthy: fell off the bus), a:3 (busy with another job), and 1 more",
    ),
    (
        "a: 24 | 24/3",
        "6",
        "the model fits on one GPU (6.0 of 24.0 GiB free); left out: "
        "a:1 (only 2.3 GiB available)",
    ),
    (
        "a: 24 | 24",
        "2 whole",
        "how much memory the model needs is not known, "
        "so each replica gets a GPU whole",
    ),
]


@pytest.mark.parametrize(("cluster", "demand", "reason"), REASONS)
def test_a_plan_says_why(cluster: str, demand: str, reason: str) -> None:
    assert _plan(cluster, demand).reason == reason


def test_replicas_are_numbered_as_people_count_gpus() -> None:
    plan = _plan("a: 24/20 | 24/23 | 24/22", "6 2..2")
    assert [(p.replica, p.gpu.name) for p in plan.placements] == [
        (0, "a:1"),
        (1, "a:2"),
    ]


def test_a_whole_gpu_is_nine_tenths_of_what_is_available() -> None:
    placement = _only("a: cpu 10", "2 whole")
    assert placement.reserve_bytes == 9 * GIB
    assert placement.available_bytes == 10 * GIB


def test_a_whole_gpu_is_never_less_than_the_floor() -> None:
    assert _only("a: cpu 10/2", "2 whole").reserve_bytes == 2 * GIB


def test_a_warm_engine_keeps_its_larger_reserve_and_grows_a_smaller_one() -> None:
    assert _only("a: 24/16 idle.K=8", "6").reserve_bytes == 8 * GIB
    assert _only("a: 24/20 idle.K=4", "6").reserve_bytes == 6 * GIB


def test_what_idle_engines_hold_counts_as_free() -> None:
    warm = _only("a: cpu 10/4 idle.K=8/6", "6")
    assert (warm.free_bytes, warm.available_bytes) == (10 * GIB, 10 * GIB)
    evicting = _only("a: cpu 10/2 idle.L=8", "6")
    assert (evicting.reclaimed_bytes, evicting.free_bytes) == (8 * GIB, 10 * GIB)


def test_policy_may_evict_every_idle_engine() -> None:
    snapshot = snapshot_of("a: 24/12 idle.K=6 idle.L=6")
    cleared = Policy(evict_all_idle=True)
    assert outcome(schedule(demand_from("6"), snapshot)) == "a:0 warm"
    assert outcome(schedule(demand_from("6"), snapshot, cleared)) == (
        "a:0 warm -L@a:0#1"
    )
    other = demand_from("6 key=X")
    assert outcome(schedule(other, snapshot, cleared)) == "a:0 -K@a:0 -L@a:0#1"


@pytest.mark.parametrize(
    "cluster", ["a: 24/10 4090 pid=2 idle.L=12 | 24 idle.K=6/5", "a: 4/3 pid=1"]
)
def test_plans_and_diagnoses_survive_json(cluster: str) -> None:
    answer = schedule(demand_from("6 1..2 -z:0"), snapshot_of(cluster))
    data = json.loads(json.dumps(answer.to_json()))
    assert type(answer).from_json(data) == answer


def _plan(cluster: str, demand: str) -> Plan:
    answer = schedule(demand_from(demand), snapshot_of(cluster))
    assert not isinstance(answer, Diagnosis)
    return answer


def _only(cluster: str, demand: str) -> Placement:
    (placement,) = _plan(cluster, demand).placements
    return placement
