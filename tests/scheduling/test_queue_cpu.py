from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.scheduling.queue_cpu import (
    CpuDecision,
    CpuDemand,
    CpuWaiting,
    NodeRoom,
    pick_cpu,
)
from orchestrator.scheduling.waiting import Tier
from orchestrator.units import GIB


def rooms_from(text: str) -> list[NodeRoom]:
    """`a 4/8 16/32`: of 8 cores 4 are free, of 32 GiB 16."""
    rooms: list[NodeRoom] = []
    for node in filter(str.strip, text.split(";")):
        name, cpus, memory = node.split()
        free, _, total = cpus.partition("/")
        free_gib, _, total_gib = memory.partition("/")
        rooms.append(
            NodeRoom(
                node_id=f"id-{name}",
                name=name,
                cpus_free=float(free),
                memory_free_bytes=int(free_gib) * GIB,
                cpus_total=float(total or free),
                memory_total_bytes=int(total_gib or free_gib) * GIB,
            )
        )
    return rooms


def waiting_from(text: str) -> list[CpuWaiting[int]]:
    """`2 4; 1 0 +5`: cores, GiB and priority of jobs 1, 2, ..."""
    waiting: list[CpuWaiting[int]] = []
    for key, job in enumerate(text.split(";"), start=1):
        cpus, memory, *priority = job.split()
        demand = CpuDemand(float(cpus), int(memory) * GIB)
        waiting.append(CpuWaiting(key, demand, int("".join(priority) or 0), key))
    return waiting


def said(decision: CpuDecision[int]) -> str:
    return "; ".join(f"{key} {node[3:]}" for key, node in decision.starts) or "-"


CASES = {
    "in order, on the node with the most free cores": (
        "a 4 16; b 5 16", "2 1; 2 1; 2 1; 2 1", "1 b; 2 a; 3 b; 4 a",
    ),
    "priority goes before time": ("a 1 16", "1 0; 1 0 +1", "2 a"),
    "nobody passes one that waits": ("a 2/8 16", "4 0; 1 0", "-"),
    "but for one that can never run": ("a 2/8 16", "9 0; 1 0; 1 17; 1 0", "2 a; 4 a"),
    "memory counts": ("a 8 4/16; b 2 8", "1 6; 1 6", "1 b"),
    "a job may ask for nothing": ("a 0/8 0/16", "0 0; 0 0", "1 a; 2 a"),
    "tenths add up": ("a 1 1", "; ".join(["0.1 0"] * 11), None),
    "no node is there": ("", "1 0; 1 0", "-"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("rooms", "waiting", "starts"), CASES.values(), ids=CASES.keys()
)
def test_who_starts(rooms: str, waiting: str, starts: str | None) -> None:
    decision = pick_cpu(waiting_from(waiting), rooms_from(rooms))
    wanted = starts or "; ".join(f"{key} a" for key in range(1, 11))
    assert said(decision) == wanted


def test_why_the_others_wait() -> None:
    rooms = rooms_from("a 2/8 16/32; b 1/4 8")
    held = pick_cpu(waiting_from("9 1; 6 4; 1 0"), rooms).held
    assert {key: [reason.text for reason in waits] for key, waits in held.items()} == {
        1: [
            "can never run on this cluster: it needs 9 cores and 1.0 GiB; "
            "a has 8 cores and 32.0 GiB, b has 4 cores and 8.0 GiB"
        ],
        2: ["it needs 6 cores and 4.0 GiB; now free: 2 cores and 16.0 GiB on a"],
        3: ["position 3 in the queue, behind job 2"],
    }
    assert [held[key][0].tier for key in held] == [
        Tier.NEVER_FITS,
        Tier.BUSY,
        Tier.ORDER,
    ]


def test_without_a_node_a_job_waits_for_one() -> None:
    held = pick_cpu(waiting_from("1 0"), []).held
    assert held[1][0].text == "it needs 1 core; now free: no node"


_jobs = st.lists(
    st.tuples(st.integers(0, 40), st.integers(0, 8), st.sampled_from([0, 0, 5])),
    max_size=20,
)


@given(_jobs, st.integers(0, 20), st.integers(0, 8), st.integers(0, 20))
def test_no_node_is_promised_twice_and_nobody_passes(
    jobs: list[tuple[int, int, int]], tenths: int, gib: int, limit: int
) -> None:
    rooms = [
        NodeRoom("a", "a", tenths / 10, gib * GIB, 2.0, 8 * GIB),
        NodeRoom("b", "b", 1.5, 2 * GIB, 1.5, 4 * GIB),
    ]
    waiting = [
        CpuWaiting(key, CpuDemand(cpus / 10, memory * GIB), priority, key)
        for key, (cpus, memory, priority) in enumerate(jobs)
    ]
    decision = pick_cpu(waiting, rooms, limit)
    by_key = {job.key: job for job in waiting}
    for room in rooms:
        taken = [
            by_key[key].demand for key, node in decision.starts if node == room.name
        ]
        assert round(sum(d.cpus for d in taken) * 10) <= round(room.cpus_free * 10)
        assert sum(d.memory_bytes for d in taken) <= room.memory_free_bytes
    assert len(decision.starts) <= limit
    order = [job.key for job in sorted(waiting, key=lambda j: (-j.priority, j.seq))]
    waits = [k for k in order if k in decision.held]
    first = next(
        (k for k in waits if decision.held[k][0].tier is not Tier.NEVER_FITS), None
    )
    for key, _ in decision.starts:
        assert first is None or order.index(key) < order.index(first)
