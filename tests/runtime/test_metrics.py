"""Our figures as Ray's Prometheus endpoint of a node gives them out."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import httpx
import pytest
import ray

from orchestrator.lifecycle.states import State
from orchestrator.runtime.head import Head
from orchestrator.runtime.metrics import Figures, GpuFigures, Metrics, Rate
from orchestrator.scheduling.snapshot import DeviceKind, Gpu, Uuid
from tests.runtime.ray_heads import connected

pytestmark = pytest.mark.ray

NAME = 'née "x" \\'
GPU = Gpu(
    uuid=Uuid("GPU-1"),
    node_id="n",
    node="local",
    index=0,
    model="H200",
    kind=DeviceKind.CUDA,
    total_bytes=1000,
    free_bytes=300,
)
RUNNING = Figures(
    jobs={"PENDING": 3, "RUNNING": 1},
    rates=(Rate("42.3", NAME, 12.5), Rate("43", "other", 1.0)),
    gpus=(GpuFigures(GPU, 650),),
    waits_s=(0.05, 30.0, 100_000.0),
    attempts=2,
    retries={"node_lost": 1},
)
RATE = ("orch_rows_per_second", "42.3", 'n\\\\xe9e \\"x\\" \\\\')
WAITS = "orch_queue_wait_seconds"

metrics: list[Metrics] = []


def update(figures: Figures) -> None:
    if not metrics:
        metrics.append(Metrics())
    metrics[0].update(figures)


def endpoint() -> str:
    node = ray.nodes()[0]  # type: ignore[no-untyped-call]
    return f"http://{node['NodeManagerAddress']}:{node['MetricsExportPort']}/metrics"


_SAMPLE = re.compile(r"^ray_(orch_\w+)\{(.*)\} (\S+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_OURS = {"state", "job_id", "name", "node", "gpu", "model", "uuid", "cause", "le"}


class Endpoint:
    """Ray's endpoint of the head, read again and again; no token is needed."""

    def __init__(self, url: str) -> None:
        self._url = url

    def samples(self) -> dict[tuple[str, ...], float]:
        """Value by the metric's name and the values of our labels."""
        found = {}
        for name, labels, value in _SAMPLE.findall(httpx.get(self._url).text):
            ours = [text for key, text in _LABEL.findall(labels) if key in _OURS]
            found[(name, *ours)] = float(value)
        return found

    def wait(self, key: tuple[str, ...], value: float) -> None:
        """Until a sample has this value."""
        until = time.monotonic() + 60
        pause = threading.Event()
        while (seen := self.samples()).get(key) != value:
            assert time.monotonic() < until, seen
            pause.wait(0.3)


@pytest.fixture(scope="module")
def driver(head: Head, state: Path) -> Iterator[ProcessPoolExecutor]:
    """A process of this head that tells its figures each second, not each ten."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("RAY_metrics_report_interval_ms", "1000")
        with connected(head, state) as child:
            yield child


@pytest.fixture(scope="module")
def node(driver: ProcessPoolExecutor) -> Endpoint:
    return Endpoint(driver.submit(endpoint).result())


def test_every_figure_is_there_with_its_labels(
    driver: ProcessPoolExecutor, node: Endpoint
) -> None:
    driver.submit(update, RUNNING).result()
    node.wait(RATE, 12.5)
    gpu = ("local:0", "H200", "local", "GPU-1")
    seen = node.samples()
    waits = {key: seen.pop(key) for key in list(seen) if key[0].startswith(WAITS)}
    expected: dict[tuple[str, ...], float] = {
        **{("orch_jobs", str(state)): 0.0 for state in State},
        ("orch_jobs", "PENDING"): 3.0,
        ("orch_jobs", "RUNNING"): 1.0,
        RATE: 12.5,
        ("orch_rows_per_second", "43", "other"): 1.0,
        ("orch_gpu_reserved_bytes", *gpu): 650.0,
        ("orch_gpu_used_bytes", *gpu): 700.0,
        ("orch_gpu_total_bytes", *gpu): 1000.0,
        ("orch_attempts_total",): 2.0,
        ("orch_retries_total", "node_lost"): 1.0,
    }
    assert seen == expected
    assert waits[(f"{WAITS}_count",)] == 3.0
    for bound, count in (("0.1", 1.0), ("15.0", 1.0), ("60.0", 2.0), ("+Inf", 3.0)):
        assert waits[(f"{WAITS}_bucket", bound)] == count


def test_a_job_that_is_over_goes_to_zero_and_counts_add_up(
    driver: ProcessPoolExecutor, node: Endpoint
) -> None:
    running = Figures(rates=(Rate("50", "a", 7.0), Rate("51", "b", 1.0)), attempts=2)
    driver.submit(update, running).result()
    rate = ("orch_rows_per_second", "50", "a")
    node.wait(rate, 7.0)
    before = node.samples()
    over = Figures({"SUCCEEDED": 1}, (Rate("51", "b", 2.0),), attempts=1)
    driver.submit(update, over).result()
    node.wait(rate, 0.0)
    after = node.samples()
    assert after[("orch_jobs", "RUNNING")] == 0.0
    assert after[("orch_jobs", "SUCCEEDED")] == 1.0
    assert after[("orch_rows_per_second", "51", "b")] == 2.0
    attempts = ("orch_attempts_total",)
    assert after[attempts] == before[attempts] + 1
