"""Replicas, shards, and replicas of shards."""

from __future__ import annotations

import pytest

from orchestrator.scheduling.schedule import schedule
from tests.scheduling.described import demand_from, outcome, snapshot_of

CASES = [
    # it fits on one GPU: replicas, or for latency tensor parallel
    ("a: 24 | 24", "16 layers=32 heads=32/8", "a:0 | a:1"),
    ("a: 24 | 24", "16 layers=32 heads=32/8 latency", "a:0 + a:1"),
    ("a: 24 | 24", "16 layers=32 heads=32/8 latency 1..1", "a:0"),
    ("a: 24", "16 layers=32 heads=32/8 latency", "a:0"),
    (
        "a: 24 | 24 | 24 | 24",
        "16 layers=32 heads=32/8 latency",
        "a:0 + a:1 + a:2 + a:3",
    ),
    ("a: 24 | 24 | 24", "16 layers=32 heads=32/8 latency", "a:0 + a:1"),
    ("a: 24 | 24 | 24", "16 layers=32 heads=24/8 latency", "a:0 + a:1"),
    ("a: 24 | 8", "16 layers=32 heads=32/8 latency", "a:0"),
    ("a: 24 | 8", "6 layers=32 heads=32/8 latency", "a:0 | a:1"),
    (
        "a: 24 | 24 ; b: 24 | 24",
        "16 layers=32 heads=32/8 latency",
        "a:0 + a:1 | b:0 + b:1",
    ),
    ("a: 24 | 24", "16 layers=32 latency", "a:0 | a:1"),
    # it fits on two: tensor parallel if equal and the heads divide, else stages
    ("a: 24 | 24", "28 layers=32 heads=32/8", "a:0 + a:1"),
    (
        "a: 24 | 24",
        "28 layers=32 heads=32/8 1..1",
        "never: a:0 too_small | a:1 too_small",
    ),
    ("a: 24 | 24", "28 layers=32 heads=32/1", "a:0 + a:1"),
    ("a: 24 | 24", "28 layers=32 heads=31", "a:0[0-16] + a:1[16-32]"),
    ("a: 24 | 24", "28 layers=32", "a:0[0-16] + a:1[16-32]"),
    ("a: 24 | 24", "28", "never: a:0 too_small | a:1 too_small"),
    ("a: 24 | 8", "28 layers=32 heads=32/8", "a:0[0-25] + a:1[25-32]"),
    ("a: 24 | 8", "30 layers=32 heads=32/8", "never: a:0 too_small | a:1 too_small"),
    ("a: 24 | 8", "31 layers=32 heads=32/8", "never: a:0 too_small | a:1 too_small"),
    ("a: 24 | 24/8 pid=16", "28 layers=32 heads=32/8", "a:0[0-25] + a:1[25-32]"),
    (
        "a: 24 | 24/8 pid=16",
        "31 layers=32 heads=32/8",
        "later: a:0 too_small | a:1 foreign_use",
    ),
    ("a: 8 | 24", "28 layers=32 heads=32/8", "a:0[0-7] + a:1[7-32]"),
    ("a: 24 | 8 | 8", "34 layers=32 heads=32/8", "a:0[0-20] + a:1[20-26] + a:2[26-32]"),
    ("a: 24 4090 | 24 3090", "28 layers=32 heads=32/8", "a:0[0-16] + a:1[16-32]"),
    ("a: 24 4090 | 24 3090 | 24 4090", "28 layers=32 heads=32/8", "a:0 + a:2"),
    # replicas of shards, within the number of GPUs that was asked for
    ("a: 24 | 24 | 24 | 24", "28 layers=32 heads=32/8", "a:0 + a:1 | a:2 + a:3"),
    ("a: 24 | 24 | 24 | 24", "28 layers=32 heads=32/8 1..2", "a:0 + a:1"),
    ("a: 24 | 24 | 24 | 24", "28 layers=32 heads=32/8 1..3", "a:0 + a:1"),
    ("a: 24 | 24 | 24 | 24", "28 layers=32 heads=32/8 4", "a:0 + a:1 | a:2 + a:3"),
    (
        "a: 24 | 24 | 24",
        "28 layers=32 heads=32/8 3",
        "a:0[0-11] + a:1[11-22] + a:2[22-32]",
    ),
    (
        "a: 24 | 24 | 24 | 24",
        "60 layers=32 heads=32/8",
        "a:0[0-11] + a:1[11-22] + a:2[22-32]",
    ),
    (
        "a: 24 | 24 | 24",
        "60 layers=32 heads=32/8",
        "a:0[0-11] + a:1[11-22] + a:2[22-32]",
    ),
    (
        "a: 24 | 24 | 24",
        "60 layers=32 heads=24/8",
        "a:0[0-11] + a:1[11-22] + a:2[22-32]",
    ),
    (
        "a: 24 | 24 | 24",
        "90 layers=32 heads=32/8",
        "never: a:0 too_small | a:1 too_small | a:2 too_small",
    ),
    # one node before several; what is busy, sick or excluded does not count
    ("a: 24 ; b: 24", "28 layers=32 heads=32/8", "a:0[0-16] + b:0[16-32]"),
    ("a: 24 | 24 ; b: 24 | 24", "28 layers=32 heads=32/8", "a:0 + a:1 | b:0 + b:1"),
    ("a: 24 ; b: 24 | 24", "28 layers=32 heads=32/8", "b:0 + b:1"),
    (
        "a: 24 | 24 job=6 ; b: 24 | 24 job=6",
        "28 layers=32 heads=32/8",
        "a:0[0-16] + b:0[16-32]",
    ),
    ("a: 24 | 24 job=6", "28 layers=32 heads=32/8", "later: a:0 too_small | a:1 busy"),
    (
        "a: 24 | 24 sick",
        "28 layers=32 heads=32/8",
        "later: a:0 too_small | a:1 unhealthy",
    ),
    (
        "a: 24 | 24",
        "28 layers=32 heads=32/8 -a:1",
        "never: a:0 too_small | a:1 excluded",
    ),
    # the job file says how
    ("a: 24 | 24", "16 layers=32 heads=32/8 mode=tensor", "a:0 + a:1"),
    ("a: 24 | 24", "16 layers=32 heads=32/8 mode=pipeline", "a:0[0-16] + a:1[16-32]"),
    ("a: 24 | 24", "16 layers=32 heads=32/8 mode=replicate", "a:0 | a:1"),
    (
        "a: 24 | 24",
        "28 layers=32 heads=32/8 mode=replicate",
        "never: a:0 too_small | a:1 too_small",
    ),
    (
        "a: 24 | 8",
        "16 layers=32 heads=32/8 mode=tensor",
        "never: a:0 node_too_small | a:1 too_small",
    ),
    ("a: 24 | 24", "16 layers=32 heads=32/8 replicas=1", "a:0"),
    ("a: 24 | 24", "16 replicas=1", "a:0"),
    ("a: 24 | 24", "16 replicas=3", "never:"),
    (
        "a: 24 | 24 | 24 | 24",
        "16 layers=32 heads=32/8 shards=2",
        "a:0 + a:1 | a:2 + a:3",
    ),
    (
        "a: 24 | 24 | 24 | 24",
        "16 layers=32 heads=32/8 shards=2 replicas=1",
        "a:0 + a:1",
    ),
    (
        "a: 24 | 24 | 24 | 24",
        "16 layers=32 heads=32/8 shards=4",
        "a:0 + a:1 + a:2 + a:3",
    ),
    (
        "a: 24 | 24 | 24",
        "16 layers=32 heads=32/8 shards=3",
        "a:0[0-11] + a:1[11-22] + a:2[22-32]",
    ),
    (
        "a: 24 | 24 | 24",
        "16 layers=32 heads=32/8 shards=3 mode=tensor",
        "never: a:0 node_too_small | a:1 node_too_small | a:2 node_too_small",
    ),
    ("a: 24 | 24", "16 layers=32 heads=32/8 shards=1", "a:0 | a:1"),
    ("a: 24 | 24", "16 shards=2", "never: a:0 node_too_small | a:1 node_too_small"),
    # a large GPU before two small ones; exact fits; a cache; share, CPU, eviction
    ("a: 80 | 24 | 24", "40 layers=32 heads=32/8", "a:0"),
    ("a: 80 job=6 | 24 | 24", "40 layers=32 heads=32/8", "a:1 + a:2"),
    ("a: 80 | 80", "144 layers=80 heads=64/8", "a:0 + a:1"),
    ("a: 80 | 80", "158 layers=80 heads=64/8", "never: a:0 too_small | a:1 too_small"),
    ("a: 24 | 24", "40 layers=32 heads=32/8 cache=16", "a:0 + a:1"),
    ("a: 24 | 8", "28 layers=32 heads=32/8 cache=8", "a:0[0-25] + a:1[25-32]"),
    ("a: 24 | 24", "28 layers=1 heads=31", "never: a:0 too_small | a:1 too_small"),
    ("a: cpu 8 | cpu 8", "12 layers=12 heads=12", "a:0 + a:1"),
    (
        "a: 24 | 24/12 share.J=12",
        "28 layers=32 heads=32/8 share",
        "a:0[0-22] + a:1[22-32]",
    ),
    (
        "a: 24 | 24/12 share.J=12",
        "28 layers=32 heads=32/8",
        "later: a:0 too_small | a:1 busy",
    ),
    (
        "a(8c 64g): 24 | 24 | 24 | 24",
        "28 layers=32 heads=32/8 cpu=4",
        "a:0 + a:1 | a:2 + a:3",
    ),
    ("a(7c 64g): 24 | 24 | 24 | 24", "28 layers=32 heads=32/8 cpu=4", "a:0 + a:1"),
    ("a: 24/4 idle.L=20 | 24", "28 layers=32 heads=32/8", "a:0 -L@a:0 + a:1"),
]


@pytest.mark.parametrize(("cluster", "demand", "expected"), CASES)
def test_a_cluster_and_a_demand_give_this(
    cluster: str, demand: str, expected: str
) -> None:
    answer = schedule(demand_from(demand), snapshot_of(cluster))
    assert outcome(answer) == expected
