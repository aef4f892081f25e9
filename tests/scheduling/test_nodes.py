"""CPU and RAM of nodes, and GPUs of one node together."""

from __future__ import annotations

import pytest

from orchestrator.scheduling.schedule import schedule
from tests.scheduling.described import demand_from, outcome, snapshot_of

CASES = [
    # each replica takes its cores and its RAM
    ("a(16c 64g): 24 | 24", "6 cpu=4", "a:0 | a:1"),
    ("a(16c 64g): 24 | 24", "6 cpu=8", "a:0 | a:1"),
    ("a(16c 64g): 24 | 24", "6 cpu=12", "a:0"),
    ("a(16c 64g): 24 | 24", "6 2 cpu=12", "never: a:1 node_too_small"),
    ("a(16c 64g): 24", "6 cpu=16 ram=64", "a:0"),
    ("a(16c 64g): 24", "6 cpu=17", "never: a:0 node_too_small"),
    ("a(16c 64g): 24", "6 ram=65", "never: a:0 node_too_small"),
    # what is promised already; a node that does not say has enough
    ("a(16-12c 64g): 24", "6 cpu=4", "a:0"),
    ("a(16-12c 64g): 24", "6 cpu=5", "later: a:0 node_busy"),
    ("a(16c 64-60g): 24", "6 ram=5", "later: a:0 node_busy"),
    ("a(16c 64-60g): 24 ; b(16c 64g): 24", "6 ram=5", "b:0"),
    ("a(16c 64g): 24 ; b: 24", "6 cpu=32", "b:0"),
    ("a(16c 64g): 24 | 24 ; b(8c 64g): 24 | 24", "6 cpu=6", "a:0 | a:1 | b:0"),
    # no GPU at all
    ("a(16c 64g): 24", "1 gang=0 cpu=4", "on a"),
    ("a(16-14c 64g): 24 ; b(8c 64g):", "1 gang=0 cpu=4", "on b"),
    ("a(4c 64g): ; b(8-6c 64g):", "1 gang=0 cpu=6", "later:"),
    ("a(4c 64g): ; b(4c 64g):", "1 gang=0 cpu=6", "never:"),
    ("a(4c 64g): ; b(4c 8g):", "1 gang=0 2 cpu=4", "on a | on b"),
    ("a(8c 64g): ; b(2c 8g):", "1 gang=0 2 cpu=4", "on a | on a"),
    # a gang: all of it on one node, or nothing
    ("a: 24 | 24", "6 gang=2", "a:0 + a:1"),
    ("a: 24 | 24 | 24", "6 gang=2", "a:0 + a:1"),
    ("a: 24 | 24 | 24 | 24", "6 gang=2", "a:0 + a:1 | a:2 + a:3"),
    ("a: 24 | 24 | 24 | 24", "6 1..1 gang=2", "a:0 + a:1"),
    ("a: 24 ; b: 24", "6 gang=2", "never: a:0 node_too_small | b:0 node_too_small"),
    ("a: 24 ; b: 24 | 24", "6 gang=2", "b:0 + b:1"),
    ("a: 24 | 24 job=6", "6 gang=2", "later: a:0 node_busy | a:1 busy"),
    ("a: 24 | 24 job=6 ; b: 24 | 24", "6 gang=2", "b:0 + b:1"),
    # unequal GPUs, busy ones
    ("a: 24 | 8", "10 gang=2", "never: a:0 node_too_small | a:1 too_small"),
    ("a: 24 | 8 | 24", "10 gang=2", "a:0 + a:2"),
    (
        "a: 24 | 24 | 24 | 24 job=6",
        "6 gang=4",
        "later: a:0 node_busy | a:1 node_busy | a:2 node_busy | a:3 busy",
    ),
    ("a: 24 | 24 | 24 | 24/20 pid=4", "6 gang=4", "a:0 + a:1 + a:2 + a:3"),
    ("a: 24 | 24 | 24 | 24 ; b: 24 | 24", "6 1..1 gang=2", "a:0 + a:1"),
    # with cores, with types, with NVLink
    ("a(8c 64g): 24 | 24 | 24 | 24", "6 gang=2 cpu=4", "a:0 + a:1 | a:2 + a:3"),
    ("a(7c 64g): 24 | 24 | 24 | 24", "6 gang=2 cpu=4", "a:0 + a:1"),
    (
        "a(3c 64g): 24 | 24",
        "6 gang=2 cpu=4",
        "never: a:0 node_too_small | a:1 node_too_small",
    ),
    ("a: 24 4090 | 24 3090 | 24 4090", "6 gang=2 type=4090", "a:0 + a:2"),
    (
        "a: 24 4090 | 24 3090",
        "6 gang=2 type=4090",
        "never: a:0 node_too_small | a:1 wrong_type",
    ),
    ("a: 24 nv | 24 | 24 nv | 24", "6 1..1 gang=2", "a:0 + a:2"),
]


@pytest.mark.parametrize(("cluster", "demand", "expected"), CASES)
def test_a_cluster_and_a_demand_give_this(
    cluster: str, demand: str, expected: str
) -> None:
    answer = schedule(demand_from(demand), snapshot_of(cluster))
    assert outcome(answer) == expected
