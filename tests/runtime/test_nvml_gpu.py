"""NVML on a real GPU: `pytest -m gpu tests/runtime/test_nvml_gpu.py`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch

from orchestrator.runtime.devices import read_devices
from orchestrator.runtime.nvml import read_gpus
from orchestrator.scheduling.snapshot import DeviceKind, Gpu
from orchestrator.units import GIB, MIB

pytestmark = pytest.mark.gpu

HOLD = """
import sys, torch
held = torch.empty(1 << 30, dtype=torch.uint8, device=f"cuda:{sys.argv[1]}")
held.zero_()
torch.cuda.synchronize()
print("held", flush=True)
sys.stdin.read()
"""


def gpus() -> list[Gpu]:
    return read_gpus("n1", "box", None, 16)


@contextmanager
def one_gib_on(index: int) -> Iterator[int]:
    """A process that holds a GiB of this GPU; its pid."""
    command = [sys.executable, "-c", HOLD, str(index)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        yield holder.pid
        holder.kill()


def test_gpus_are_torchs_in_its_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
    found = gpus()
    count = torch.cuda.device_count()
    torchs = [torch.cuda.get_device_properties(i) for i in range(count)]
    assert [g.uuid for g in found] == [f"GPU-{p.uuid}" for p in torchs]
    assert [g.model for g in found] == [p.name for p in torchs]
    assert [g.index for g in found] == list(range(count))
    for gpu, properties in zip(found, torchs, strict=True):
        assert gpu.kind is DeviceKind.CUDA
        assert gpu.problem == ""
        assert 0 <= gpu.total_bytes - properties.total_memory < 4 * GIB
        assert 0 < gpu.free_bytes <= gpu.total_bytes
        assert gpu.cores == max(1, 16 // count)
        assert gpu.compute == 10 * properties.major + properties.minor


def test_peers_are_gpus_of_the_list_and_reach_each_other() -> None:
    every = gpus()
    by_uuid = {gpu.uuid: gpu for gpu in every}
    for gpu in every:
        assert gpu.uuid not in gpu.peers
        assert set(gpu.peers) <= set(by_uuid)
        for peer in gpu.peers:
            assert gpu.uuid in by_uuid[peer].peers
            pair = gpu.index, by_uuid[peer].index
            assert torch.cuda.can_device_access_peer(*pair)
    (alone,) = read_gpus("n1", "box", every[0].uuid, 16)
    assert alone.peers == (), "jobs cannot have the others"


def test_a_node_with_gpus_has_no_cpu_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ORCH_FAKE_GPUS", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)
    assert {gpu.kind for gpu in read_devices("n1", "box")} == {DeviceKind.CUDA}


def test_visible_ones_come_in_the_order_given() -> None:
    every = gpus()
    backwards = ",".join(gpu.uuid for gpu in reversed(every))
    found = read_gpus("n1", "box", backwards, 16)
    assert [gpu.uuid for gpu in found] == [gpu.uuid for gpu in reversed(every)]
    assert [gpu.index for gpu in found] == list(range(len(every)))
    assert read_gpus("n1", "box", "", 16) == []


def test_one_that_does_not_answer_hides_no_other() -> None:
    nowhere = "GPU-00000000-0000-0000-0000-000000000000"
    bad, good = read_gpus("n1", "box", f"{nowhere},0", 16)
    assert bad.uuid == nowhere
    assert bad.problem.startswith("the driver does not answer for it")
    assert good.problem == ""


def test_what_another_process_holds_is_seen_and_whose_it_is() -> None:
    for index, before in enumerate(gpus()):
        with one_gib_on(index) as pid:
            during = gpus()[index]
        assert before.free_bytes - during.free_bytes >= GIB
        # In a container NVML may name processes of the host, or none.
        ours = [owner for owner in during.owners if owner.pid == pid]
        if during.owners and ours:
            assert ours[0].used_bytes >= GIB
            assert ours[0].name.startswith("python")
        after = gpus()[index]
        assert before.free_bytes - after.free_bytes < 256 * MIB
