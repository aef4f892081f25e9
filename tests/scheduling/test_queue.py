"""Single decisions of the queue: who starts, who waits, and why."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from orchestrator.scheduling.plan import Plan
from orchestrator.scheduling.policy import Policy
from orchestrator.scheduling.queue import (
    QueueDecision,
    Running,
    Shadow,
    Waiting,
    pick,
)
from orchestrator.scheduling.queue_room import after_plan, engines_of
from orchestrator.scheduling.schedule import schedule
from orchestrator.scheduling.snapshot import Node, Snapshot, Uuid
from orchestrator.scheduling.waiting import Tier
from orchestrator.units import GIB
from tests.scheduling.described import demand_from, outcome, snapshot_of

NOW = 1_000.0


def cluster_with(cluster: str, jobs: str) -> tuple[Snapshot, list[Running[int]]]:
    """`100 6 2..2; ? 6 -a:0`: running jobs with their ends and demands, from key 1."""
    snapshot = snapshot_of(cluster)
    running: list[Running[int]] = []
    for key, text in enumerate(filter(str.strip, jobs.split(";")), start=1):
        end, _, demand = text.strip().partition(" ")
        plan = schedule(demand_from(demand), snapshot)
        assert isinstance(plan, Plan)
        snapshot = after_plan(snapshot, plan, str(key))
        ends_at = None if end == "?" else NOW + float(end)
        running.append(Running(key, engines_of(plan, str(key)), ends_at))
    return snapshot, running


def waiting_from(text: str) -> list[Waiting[int]]:
    """`? 6 1..1; 100 6 +5`: bounds and demands, from key 11 on; `+5`: its priority."""
    waiting: list[Waiting[int]] = []
    for key, job in enumerate(text.split(";"), start=11):
        bound, *words = job.split()
        priority = next((int(word) for word in words if word.startswith("+")), 0)
        demand = demand_from(" ".join(w for w in words if not w.startswith("+")))
        holds_s = None if bound == "?" else float(bound)
        waiting.append(Waiting(key, demand, priority, key, holds_s))
    return waiting


def decide(cluster: str, running: str, waiting: str) -> QueueDecision[int]:
    snapshot, jobs = cluster_with(cluster, running)
    return pick(waiting_from(waiting), jobs, snapshot, NOW)


def said(decision: QueueDecision[int]) -> str:
    return "; ".join(f"{key} {outcome(plan)}" for key, plan in decision.starts) or "-"


CASES = {
    "in order, as long as there is room": (
        "a: 24 | 24", "", "? 6 1..1; ? 6 1..1; ? 6 1..1", "11 a:0; 12 a:1",
    ),
    "priority goes before time": (
        "a: 24", "", "? 6; ? 6 +1", "12 a:0",
    ),
    "one that ends in time passes": (
        "a: 24 | 24", "100 6 1..1", "? 6 2..2; 100 6 1..1", "12 a:1",
    ),
    "one that ends too late does not": (
        "a: 24 | 24", "100 6 1..1", "? 6 2..2; 101 6 1..1", "-",
    ),
    "nor one whose end nobody knows": (
        "a: 24 | 24", "100 6 1..1", "? 6 2..2; ? 6 1..1", "-",
    ),
    "it may have what the head does not need": (
        "a: 24 | 24 | 24", "100 6 2..2", "? 6 2..2; ? 6 1..1; ? 6 1..1", "12 a:2",
    ),
    "it may have what the head cannot use": (
        "a: 24 | 24 | 8", "100 12 1..1", "? 12 2..2; ? 6; ? 6 1..1", "12 a:2",
    ),
    "not if nobody knows when the head starts": (
        "a: 24 | 24 | 24", "? 6 1..1; ? 6 1..1", "? 6 2..2; 1 6 1..1", "-",
    ),
    "but for GPUs that the head can never use": (
        "a: 24 | 24 | 8", "? 12 1..1", "? 12 2..2; ? 6 1..1", "12 a:2",
    ),
    "a job that never fits makes nobody wait": (
        "a: 24 | 24", "", "? 40; ? 6", "12 a:0 | a:1",
    ),
    "nor one that waits for other programs": (
        "a: 24/4 pid=20 | 24", "", "? 12 2..2; ? 6 1..1", "12 a:1",
    ),
    "nor one that waits for a sick GPU": (
        "a: 24 sick | 24", "", "? 12 2..2; ? 6 1..1", "12 a:1",
    ),
    "an engine that is ending makes room at any moment": (
        "a: 24 job=6 | 24", "", "? 6 2..2; 100 6 1..1", "-",
    ),
    "only the head is promised anything": (
        "a: 24 | 24", "100 6 1..1", "? 6 2..2; ? 6 2..2; 90 6 1..1", "13 a:1",
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ("cluster", "running", "waiting", "starts"), CASES.values(), ids=CASES.keys()
)
def test_who_starts(cluster: str, running: str, waiting: str, starts: str) -> None:
    assert said(decide(cluster, running, waiting)) == starts


SHADOWS = {
    "nobody waits": ("a: 24 | 24", "", "? 6", None),
    # 2 GPUs are free once those that end at 50 and 100 have ended
    "the second end is needed": (
        "a: 24 | 24 | 24", "100 6 1..1; 50 6 1..1; ? 6 1..1", "? 6 2..2", "100 a:0 a:1",
    ),
    "the first is enough": (
        "a: 24 | 24", "100 6 1..1; 50 6 1..1", "? 6 1..1", "50 a:1",
    ),
    "overdue": ("a: 24 | 24", "-5 6 1..1; 50 6 1..1", "? 6 1..1", "0 a:0"),
    "a free one counts": ("a: 24 | 24", "100 6 1..1", "? 6 2", "100 a:0 a:1"),
    "nobody knows": ("a: 24 | 8 | 24", "? 6 3", "? 12 1..1", "? a:0 a:2"),
    "it waits for none of ours": ("a: 24 sick", "", "? 6", None),
}  # fmt: skip


@pytest.mark.parametrize(
    ("cluster", "running", "waiting", "shadow"), SHADOWS.values(), ids=SHADOWS.keys()
)
def test_what_the_head_is_promised(
    cluster: str, running: str, waiting: str, shadow: str | None
) -> None:
    promised = decide(cluster, running, waiting).shadow
    if shadow is None:
        assert promised is None
        return
    at, *gpus = shadow.split()
    uuids = frozenset(Uuid(f"uuid-{gpu}") for gpu in gpus)
    assert promised == Shadow(11, None if at == "?" else NOW + float(at), uuids)


def test_what_the_others_wait_for() -> None:
    decision = decide(
        "a: 24 | 24 | 24/4 pid=20",
        "100 6 1..1; ? 6 1..1",
        "? 6 2..2; ? 6 1..1; ? 40; ? 2 1..1 -a:0 -a:1",
    )
    assert said(decision) == "14 a:2"
    assert {
        key: [reason.text for reason in waits] for key, waits in decision.held.items()
    } == {
        11: [
            "not free: a:0 (job 1 until 00:18 UTC at the latest), a:1 (job 2)",
            "used by other programs: a:2 (pid 5121, python of ann, 20.0 GiB; "
            "2.7 GiB short)",
        ],
        12: [
            "not free: a:0 (job 1 until 00:18 UTC at the latest), a:1 (job 2)",
            "used by other programs: a:2 (pid 5121, python of ann, 20.0 GiB; "
            "2.7 GiB short)",
            "position 2 in the queue, behind job 11",
        ],
        13: [
            "can never run on this cluster: it needs 1 GPU with 40.0 GiB, "
            "0 of 3 could ever take it (3 too small)",
        ],
    }


def test_one_that_would_fit_is_told_whom_it_must_not_delay() -> None:
    held = decide("a: 24 | 24", "120 6 1..1", "? 6 2..2; ? 6 1..1").held
    (reason,) = held[12]
    assert reason.tier is Tier.ORDER
    assert reason.text == (
        "position 2 in the queue, behind job 11, which starts by 00:18 UTC"
    )
    assert reason.to_json() == {
        "tier": "order",
        "text": reason.text,
        "data": {
            "position": 2,
            "behind": "11",
            "at": "1970-01-01T00:18:40+00:00",
        },
    }


def test_a_warm_engine_is_taken_over_once() -> None:
    snapshot = snapshot_of("a: 24/18 idle.K=6 | 24")
    decision = pick(waiting_from("? 6 1..1 key=K; ? 6 1..1 key=K"), [], snapshot, NOW)
    assert said(decision) == "11 a:0 warm; 12 a:1"


def test_memory_of_an_evicted_engine_is_free_for_the_next() -> None:
    snapshot = snapshot_of("a: 24/4 idle.L=20")
    decision = pick(waiting_from("5 20 1..1; ? 20 1..1"), [], snapshot, NOW, Policy())
    assert said(decision) == "11 a:0 -L@a:0"
    assert decision.shadow == Shadow(12, NOW + 5, frozenset({Uuid("uuid-a:0")}))


def test_no_more_start_than_may() -> None:
    snapshot = snapshot_of("a: 24 | 24")
    waiting = waiting_from("? 6 1..1; ? 6 1..1")
    assert said(pick(waiting, [], snapshot, NOW, limit=1)) == "11 a:0"
    assert pick(waiting, [], snapshot, NOW, limit=0).held == {}


def test_all_of_it_is_json() -> None:
    decision = decide("a: 24 | 24/4 pid=20", "100 6 1..1", "? 6 2..2; ? 40; ? 6")
    for waits in decision.held.values():
        for reason in waits:
            assert json.loads(json.dumps(reason.to_json())) == reason.to_json()


def test_nor_may_it_take_the_cores_that_the_head_will_need() -> None:
    node = Node("id-a", "a", cpu_milli=4_000, ram_bytes=64 * GIB)
    snapshot = replace(snapshot_of("a: 24 | 24 | 24"), nodes=(node,))
    one = demand_from("6 1..1")
    first = replace(one, cpu_milli=2_000)
    plan = schedule(first, snapshot)
    assert isinstance(plan, Plan)
    running = [Running(1, engines_of(plan, "1"), NOW + 100)]
    snapshot = after_plan(snapshot, plan, "1")
    head = Waiting(11, replace(one, cpu_milli=3_000), seq=1)
    two, one_core = (
        Waiting(key, replace(one, cpu_milli=cores), seq=key)
        for key, cores in ((12, 2_000), (13, 1_000))
    )
    decision = pick([head, two, one_core], running, snapshot, NOW)
    assert decision.shadow is not None
    assert decision.shadow.at == NOW + 100
    assert [key for key, _ in decision.starts] == [13]
