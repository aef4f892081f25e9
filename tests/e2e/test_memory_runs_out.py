"""A module that runs out of memory: in large batches, and in a single row."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.conftest import Orch, every_row_once_in_order

pytestmark = pytest.mark.ray

HUNGRY = """
import torch

class Slow(torch.nn.Module):
    def __init__(self, rows_per_second):
        super().__init__()

    def forward(self, x):
        if {lacks}:
            raise torch.OutOfMemoryError("Tried to allocate 2.50 GiB.")
        return x * 2
"""


def write_hungry_job(orch: Orch, name: str, lacks: str) -> Path:
    job = orch.write_slow_job(name, 300, extra="resources: {gpu_memory: 600MiB}\n")
    (job.parent / "slow.py").write_text(HUNGRY.format(lacks=lacks))
    return job


def test_batches_too_large_are_halved_inside_the_engine(orch: Orch) -> None:
    view = orch.finish(orch.start(write_hungry_job(orch, "batches", "len(x) > 2")))
    assert (view["state"], view["attempts"]) == ("SUCCEEDED", [])
    every_row_once_in_order(view, 300)


def test_a_row_too_large_is_given_more_three_times(orch: Orch) -> None:
    job = orch.start(write_hungry_job(orch, "row", "(x == 299).any()"))
    orch.run("wait", str(job), "-q", check=1)
    view = orch.job(job)
    assert (view["state"], view["cause"]) == ("FAILED", "cuda_oom")
    assert [attempt["cause"] for attempt in view["attempts"]] == ["cuda_oom"] * 3
    (fault,) = view["faults"]
    assert fault["code"] == "E104"
    # 600 MiB, and a quarter more each time.
    assert any(fact.startswith("reserved: 1.1") for fact in fault["facts"])
    assert "then asked for: 2.5 GiB" in fault["facts"]
    assert view["progress"]["rows_done"] > 0, "the other rows are kept"
    said = orch.run("explain", str(job)).stdout
    assert said.count("with more GPU memory, or elsewhere") == 3
