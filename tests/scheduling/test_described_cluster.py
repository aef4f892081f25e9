from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.errors import Code, OrchError
from orchestrator.scheduling.described_cluster import described_snapshot
from orchestrator.scheduling.schedule import schedule
from orchestrator.scheduling.snapshot import Snapshot
from orchestrator.scheduling.what_if import unused
from orchestrator.spec.cluster import load_cluster
from tests.scheduling.described import demand_from, outcome, snapshot_of

CLUSTER = """\
nodes:
  - name: big
    cpus: 8
    memory: 64GiB
    gpus:
      - {model: NVIDIA A100, total: 80GiB, free: 20GiB, cc: 8.0}
      - {model: NVIDIA A100, total: 80GiB, cc: 8.0, nvlink: true, count: 2}
  - name: small
    gpus: [{total: 24GiB}]
"""

# demand, where
CASES = [
    ("30", "big:1 | big:2"),
    ("6 type=A100", "big:0 | big:1 | big:2"),
    ("6 cc>=8.0 1..1", "big:1"),
    ("6 cc>=9.0", "never: " + " | ".join(f"big:{i} wrong_type" for i in range(3))),
    ("6 cpu=4", "big:1 | big:2 | small:0"),
    ("6 gang=2", "big:1 + big:2"),
    ("100 layers=32 heads=32/8", "big:1 + big:2"),
]


@pytest.mark.parametrize(("demand", "expected"), CASES)
def test_a_described_cluster_is_planned_for(
    tmp_path: Path, demand: str, expected: str
) -> None:
    answer = schedule(demand_from(demand), _snapshot(tmp_path, CLUSTER))
    assert outcome(answer).startswith(expected)


def test_what_is_not_free_is_ignored_if_use_is(tmp_path: Path) -> None:
    snapshot = _snapshot(tmp_path, CLUSTER)
    assert outcome(schedule(demand_from("70 1..3"), unused(snapshot))) == (
        "big:0 | big:1 | big:2"
    )


def test_a_cluster_without_use_keeps_what_is_sick() -> None:
    snapshot = unused(snapshot_of("a(8-8c 8g): 24/2 pid=22 | 24/18 job=6 | 24 sick"))
    answer = schedule(demand_from("20 cpu=1"), snapshot)
    assert outcome(answer) == "a:0 | a:1"


# document, code, words of the message
BAD = [
    ("nodes: []", Code.BAD_VALUE, "nodes"),
    ("nodes: [{name: a, gpus: []}]", Code.BAD_VALUE, "gpus"),
    ("nodes: [{name: a, gpus: [{total: auto}]}]", Code.BAD_VALUE, "total"),
    ("nodes: [{name: a, gpus: [{}]}]", Code.MISSING_FIELD, "total"),
    (
        "nodes: [{name: a, gpus: [{total: 8GiB, free: 9GiB}]}]",
        Code.BAD_VALUE,
        "free",
    ),
    ("nodes: [{name: a, gpu: [{total: 8GiB}]}]", Code.UNKNOWN_FIELD, "gpu"),
    ("- a", Code.UNREADABLE_YAML, "nodes"),
    ("", Code.UNREADABLE_YAML, "nodes"),
    ("nodes: [", Code.UNREADABLE_YAML, ""),
    (CLUSTER.replace("small", "big"), Code.BAD_VALUE, "another name"),
]


@pytest.mark.parametrize(("text", "code", "words"), BAD)
def test_what_describes_no_cluster_is_told(
    tmp_path: Path, text: str, code: Code, words: str
) -> None:
    with pytest.raises(OrchError) as caught:
        _snapshot(tmp_path, text)
    assert caught.value.fault.code is code
    assert words in caught.value.fault.message


def test_a_file_that_is_not_there_is_e204(tmp_path: Path) -> None:
    with pytest.raises(OrchError) as caught:
        load_cluster(tmp_path / "none.yaml")
    assert caught.value.fault.code is Code.FILE_NOT_FOUND


def _snapshot(folder: Path, text: str) -> Snapshot:
    path = folder / "cluster.yaml"
    path.write_text(text)
    return described_snapshot(load_cluster(path))
