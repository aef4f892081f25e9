from __future__ import annotations

import os

import psutil
import pytest

from orchestrator.errors import Code, OrchError
from orchestrator.runtime.devices import (
    cpu_devices,
    fake_gpus,
    read_devices,
    usable_cores,
    visible_to_node,
)
from orchestrator.runtime.nvml import _visible
from orchestrator.scheduling.snapshot import DeviceKind
from orchestrator.units import GIB


@pytest.mark.parametrize(
    ("visible", "count", "chosen"),
    [
        (None, 3, [0, 1, 2]),
        (None, 0, []),
        ("", 3, []),
        ("1", 3, [1]),
        ("2,0", 3, [2, 0]),
        (" 1 , 2 ", 3, [1, 2]),
        # CUDA stops at the first that is not there.
        ("0,7,1", 3, [0]),
        ("-1", 3, []),
        ("0,-1,1", 3, [0]),
        ("NoDevFiles", 3, []),
        ("GPU-5d4ab3f1,1", 3, ["GPU-5d4ab3f1", 1]),
        ("MIG-aa/1/0", 3, ["MIG-aa/1/0"]),
    ],
)
def test_cuda_visible_devices(
    visible: str | None, count: int, chosen: list[int | str]
) -> None:
    assert _visible(visible, count) == chosen


@pytest.mark.parametrize("cores", [1, 2, 7, 64])
def test_cpu_devices_share_the_machine(
    cores: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ORCH_CPU_DEVICES", raising=False)
    gpus = cpu_devices("n1", "box", cores)
    assert [gpu.name for gpu in gpus] == ["box:0", "box:1"][: min(2, cores)]
    assert {gpu.kind for gpu in gpus} == {DeviceKind.CPU}
    assert sum(gpu.cores for gpu in gpus) <= cores
    assert len({gpu.uuid for gpu in gpus}) == len(gpus)
    total = psutil.virtual_memory().total
    assert sum(gpu.total_bytes for gpu in gpus) <= total
    assert all(0 < gpu.free_bytes <= gpu.total_bytes for gpu in gpus)


def test_the_number_of_cpu_devices_can_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCH_CPU_DEVICES", "4")
    gpus = cpu_devices("n1", "box", 2)
    assert [gpu.index for gpu in gpus] == [0, 1, 2, 3]
    assert {gpu.cores for gpu in gpus} == {1}


@pytest.mark.parametrize("text", ["0", "-1", "two", "", "1.5"])
def test_a_senseless_number_of_cpu_devices_is_refused(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCH_CPU_DEVICES", text)
    with pytest.raises(OrchError, match="ORCH_CPU_DEVICES") as caught:
        cpu_devices("n1", "box", 2)
    assert caught.value.fault.code is Code.BAD_VALUE


def test_fake_gpus_are_as_described(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCH_FAKE_GPUS", "2x24GiB, 1x8G")
    gpus = read_devices("n1", "box")
    assert [gpu.name for gpu in gpus] == ["box:0", "box:1", "box:2"]
    assert [gpu.free_bytes // GIB for gpu in gpus] == [24, 24, 8]
    assert {gpu.kind for gpu in gpus} == {DeviceKind.CUDA}
    assert len({gpu.uuid for gpu in gpus}) == 3


@pytest.mark.parametrize("text", ["24GiB", "2x", "x24GiB", "2x24furlongs", "2*8G", ","])
def test_fake_gpus_of_another_form_are_refused(text: str) -> None:
    with pytest.raises(OrchError, match="ORCH_FAKE_GPUS") as caught:
        fake_gpus(text, "n1", "box")
    assert caught.value.fault.code is Code.BAD_VALUE


def test_an_agent_outside_ray_sees_what_it_was_started_with(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert visible_to_node() == "1"
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert visible_to_node() is None


def test_cores_are_those_it_may_use() -> None:
    assert 1 <= usable_cores() <= (os.cpu_count() or 1)
