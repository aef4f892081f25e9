"""Jobs that share GPUs, and jobs that say which GPUs they want."""

from __future__ import annotations

import pytest

from orchestrator.scheduling.schedule import schedule
from tests.scheduling.described import demand_from, outcome, snapshot_of

CASES = [
    # the fullest GPU that has room comes first; no two replicas on one
    ("a: 24", "6 share", "a:0"),
    ("a: 24 | 24", "6 share", "a:0 | a:1"),
    ("a: 24 | 24", "6 1..1 share", "a:0"),
    ("a: 24 | 24/18 share.J=6", "6 1..1 share", "a:1"),
    ("a: 24 | 24/18 share.J=6", "6 share", "a:0 | a:1"),
    # what others that share were promised is not there, seen or not
    ("a: 24/18 share.J=6", "17 share", "a:0"),
    ("a: 24/18 share.J=6", "18 share", "later: a:0 busy"),
    ("a: 24/24 share.J=6/0", "17 share", "a:0"),
    ("a: 24/24 share.J=6/0", "18 share", "later: a:0 busy"),
    # exclusive and shared never mix
    ("a: 24/18 job=6", "6 share", "later: a:0 busy"),
    ("a: 24/18 share.J=6", "6", "later: a:0 busy"),
    ("a: 24/18 share.J=6 | 24", "6", "a:1"),
    # several to a GPU, but not two of one job
    ("a: 24/18 share.J=6 | 24", "20 share", "a:1"),
    ("a: 24/12 share.J=6 share.M=6", "6 share", "a:0"),
    ("a: 24/12 share.J=6 share.M=6", "11.3 share", "later: a:0 busy"),
    ("a: 24/18 share.J=6", "6 share job=J", "later: a:0 busy"),
    ("a: 24/18 share.J=6 | 24", "6 share job=J", "a:1"),
    ("a: 24/18 share.J=6 | 24/18 share.M=6", "6 1..1 share job=J", "a:1"),
    ("a: 24 | 24", "6 3 share", "never:"),
    # idle engines, other programs
    ("a: 24/12 idle.L=12", "12 share", "a:0 -L@a:0"),
    ("a: 24/6 share.J=6 idle.L=12", "6 share", "a:0 -L@a:0#1"),
    ("a: 24/6 share.J=6 idle.L=12", "5 share", "a:0"),
    ("a: 24/18 idle.K=6", "6 share", "a:0 warm"),
    ("a: 24/12 idle.K=6 share.J=6", "6 share", "a:0 warm"),
    ("a: 24/4 pid=20", "6 share", "later: a:0 foreign_use"),
    ("a: 24/10 pid=8 share.J=6", "9.2 share", "a:0"),
    ("a: 24/10 pid=8 share.J=6", "9.5 share", "later: a:0 busy"),
    # best fit among unequal GPUs, and among nodes
    ("a: 40/20 share.J=20 | 24/14 share.M=10", "6 1..1 share", "a:1"),
    ("a: 40 | 24", "6 1..1 share", "a:1"),
    ("a: 24 | 24/20 share.J=4 ; b: 24/8 share.M=16", "6 1..1 share", "b:0"),
    ("a: 24 | 24/20 share.J=4 ; b: 24/8 share.M=16", "20 1..1 share", "a:0"),
    ("a: cpu 8 | cpu 8/4 share.J=4", "4 1..1 share", "a:1"),
    # names of models are whole words
    ("a: 24 4090 | 24 3090", "6 type=4090", "a:0"),
    ("a: 24 4090 | 24 3090", "6 type=3090|4090", "a:0 | a:1"),
    ("a: 24 4090 | 24 3090", "6 type=A100", "never: a:0 wrong_type | a:1 wrong_type"),
    ("a: 80 A100 | 24 A10", "6 type=A10", "a:1"),
    ("a: 80 A100-SXM4-80GB | 40 A100-PCIE-40GB", "6 type=A100", "a:0 | a:1"),
    ("a: 80 A100-SXM4-80GB | 40 A100-PCIE-40GB", "6 type=a100-pcie", "a:1"),
    # compute capability; one that is not known meets no condition
    ("a: 24 cc8.9 | 32 cc7.0", "6 cc>=8.0", "a:0"),
    ("a: 24 cc8.9 | 32 cc7.0", "6 cc<8.0", "a:1"),
    ("a: 24 cc8.9 | 32 cc7.0", "6 cc>=9.0", "never: a:0 wrong_type | a:1 wrong_type"),
    ("a: 24 cc8.9 | 24", "6 cc>=8.0", "a:0"),
    ("a: 24 4090 cc8.9 | 24 3090 cc8.6", "6 type=3090 cc>=8.6", "a:1"),
    (
        "a: 24 4090 cc8.9 | 24 3090 cc8.6",
        "6 type=3090 cc>=8.9",
        "never: a:0 wrong_type | a:1 wrong_type",
    ),
    # a wrong type never becomes a right one; a busy one does
    ("a: 24 4090 job=6 | 24 3090", "6 type=4090", "later: a:0 busy | a:1 wrong_type"),
    (
        "a: 24 4090 sick | 24 3090",
        "6 type=4090",
        "later: a:0 unhealthy | a:1 wrong_type",
    ),
    ("a: 24 4090 | 24 4090 | 24 3090", "6 3 type=4090", "never: a:2 wrong_type"),
    ("a: 4 4090 | 24 3090", "6 type=4090", "never: a:0 too_small | a:1 wrong_type"),
]


@pytest.mark.parametrize(("cluster", "demand", "expected"), CASES)
def test_a_cluster_and_a_demand_give_this(
    cluster: str, demand: str, expected: str
) -> None:
    answer = schedule(demand_from(demand), snapshot_of(cluster))
    assert outcome(answer) == expected
