from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.errors import Code, OrchError
from orchestrator.scheduling.plan import Demand
from orchestrator.simulator.trace import NODE_LIST, POD_LIST, read_trace
from orchestrator.units import MIB
from tests.simulator.traces import NODES, PODS, write


def test_nodes_and_pods_are_read(tmp_path: Path) -> None:
    trace = read_trace(write(tmp_path))
    first = trace.machines[0]
    assert (first.node.node, first.node.cpu_milli, first.gpus) == ("node-1", 16000, 2)
    gpus = first.gpus_on("x")
    assert [(gpu.name, gpu.model, gpu.total_bytes) for gpu in gpus] == [
        ("x:0", "T4", 1000),
        ("x:1", "T4", 1000),
    ]
    shared, whole, gang, none = trace.pods
    assert shared == _demand(300, share=True, cpu_milli=1000)
    assert whole == _demand(1000, cpu_milli=2000, gpu_type=("V100", "T4"))
    assert gang == _demand(1000, gang=2, cpu_milli=2000, gpu_type=("V100",))
    assert none == _demand(0, gang=0, cpu_milli=4000, ram_bytes=2048 * MIB)


def test_another_list_of_pods_may_be_given(tmp_path: Path) -> None:
    other = tmp_path / "other.csv"
    other.write_text("\n".join(PODS.splitlines()[:2]))
    assert len(read_trace(write(tmp_path), other).pods) == 1


def test_a_list_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(OrchError) as caught:
        read_trace(tmp_path)
    assert caught.value.fault.code is Code.FILE_NOT_FOUND
    assert NODE_LIST in caught.value.fault.message


# nodes, pods, words of the message, where
BAD = [
    ("sn,gpu\nx,1\n", PODS, "no column 'cpu_milli'", f"{NODE_LIST}:1"),
    (NODES.replace("16000", "many", 1), PODS, "many", f"{NODE_LIST}:2"),
    (NODES, PODS.replace("1,300", "1,3000"), "3000 thousandths", f"{POD_LIST}:2"),
    (NODES, PODS.replace("2,1000,V100", "2,500,V100"), "2 GPUs", f"{POD_LIST}:4"),
    (NODES, "name\n", "has no rows", ""),
    (NODES, PODS + "e,1\n", "cannot be read", f"{POD_LIST}:6"),
]


@pytest.mark.parametrize(("nodes", "pods", "words", "at"), BAD)
def test_what_is_no_trace_is_e203(
    tmp_path: Path, nodes: str, pods: str, words: str, at: str
) -> None:
    with pytest.raises(OrchError) as caught:
        read_trace(write(tmp_path, nodes, pods))
    fault = caught.value.fault
    assert fault.code is Code.BAD_VALUE
    assert words in fault.message
    assert fault.at.endswith(at)


def test_a_list_that_is_no_text_is_e203(tmp_path: Path) -> None:
    (write(tmp_path) / POD_LIST).write_bytes(b"\xff\xfe\x00")
    with pytest.raises(OrchError) as caught:
        read_trace(tmp_path)
    assert caught.value.fault.code is Code.BAD_VALUE


def _demand(
    milli: int,
    *,
    gang: int = 1,
    share: bool = False,
    cpu_milli: int,
    ram_bytes: int = 1024 * MIB,
    gpu_type: tuple[str, ...] = (),
) -> Demand:
    return Demand(
        engine_key="",
        weights_bytes=milli,
        activation_bytes=0,
        context_bytes=0,
        maximum=1,
        gang=gang,
        share=share,
        cpu_milli=cpu_milli,
        ram_bytes=ram_bytes,
        gpu_type=gpu_type,
    )
