"""Figures for Ray's Prometheus endpoint; nobody else uses `ray.util.metrics`.

Ray puts `ray_` before each name. It shows a gauge for 20 seconds after it was last set:
what is not set any more disappears by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from ray.util.metrics import Counter, Gauge, Histogram

from orchestrator.lifecycle.states import State
from orchestrator.scheduling.snapshot import Gpu

UPDATE_S = 5.0
"""How often to update: more rarely than 20 s, figures that stand still disappear."""


class Kind(StrEnum):
    """What Prometheus makes of a metric."""

    GAUGE = "gauge"
    COUNTER = "counter"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric as Ray is told of it.

    Attributes:
        name: Without Ray's `ray_`.
        kind: What it is.
        text: What it means, for people.
        labels: What tells its series apart. None is called `job` or `instance`:
            Prometheus renames these.
    """

    name: str
    kind: Kind
    text: str
    labels: tuple[str, ...] = ()

    @property
    def exported(self) -> str:
        """The name that a query begins with."""
        return f"ray_{self.name}" + ("_total" if self.kind is Kind.COUNTER else "")


_GPU = ("node", "gpu", "model", "uuid")
JOBS = Metric("orch_jobs", Kind.GAUGE, "Jobs by state.", ("state",))
ROWS = Metric(
    "orch_rows_per_second",
    Kind.GAUGE,
    "Rows that a running job finishes in a second.",
    ("job_id", "name"),
)
RESERVED = Metric(
    "orch_gpu_reserved_bytes", Kind.GAUGE, "Memory promised to jobs.", _GPU
)
USED = Metric(
    "orch_gpu_used_bytes", Kind.GAUGE, "Memory in use, by whomever it is.", _GPU
)
TOTAL = Metric("orch_gpu_total_bytes", Kind.GAUGE, "Memory that there is.", _GPU)
WAITS = Metric(
    "orch_queue_wait_seconds",
    Kind.HISTOGRAM,
    "How long jobs waited in the queue before they got their place.",
)
ATTEMPTS = Metric("orch_attempts", Kind.COUNTER, "Attempts that began.")
RETRIES = Metric(
    "orch_retries",
    Kind.COUNTER,
    "Attempts that follow one that failed, by its cause.",
    ("cause",),
)
METRICS = (JOBS, ROWS, RESERVED, USED, TOTAL, WAITS, ATTEMPTS, RETRIES)

_WAIT_BOUNDS_S = [
    0.1,
    0.5,
    1.0,
    5.0,
    15.0,
    60.0,
    300.0,
    900.0,
    3600.0,
    14400.0,
    86400.0,
]


@dataclass(frozen=True, slots=True)
class Rate:
    """How fast a running job is.

    Attributes:
        job_id: Its key, such as `42.3`.
        name: Its name.
        rows_per_second: Rows that it finishes in a second.
    """

    job_id: str
    name: str
    rows_per_second: float


@dataclass(frozen=True, slots=True)
class GpuFigures:
    """A GPU's newest report, and what is promised on it in bytes."""

    gpu: Gpu
    reserved_bytes: int

    def labels(self) -> dict[str, str]:
        """What tells it from others."""
        gpu = self.gpu
        return _labels(node=gpu.node, gpu=gpu.name, model=gpu.model, uuid=gpu.uuid)


@dataclass(frozen=True, slots=True)
class Figures:
    """What the controller knows at one moment.

    Attributes:
        jobs: State -> how many jobs are in it; a state that is absent has none.
        rates: One for each running job that has rows.
        gpus: One for each GPU.
        waits_s: For each job that got its place since the last figures, how long it
            had waited.
        attempts: How many began since the last figures.
        retries: Cause -> how many of these follow an attempt that failed by it.
    """

    jobs: Mapping[str, int] = field(default_factory=dict)
    rates: tuple[Rate, ...] = ()
    gpus: tuple[GpuFigures, ...] = ()
    waits_s: tuple[float, ...] = ()
    attempts: int = 0
    retries: Mapping[str, int] = field(default_factory=dict)


class Metrics:
    """Our metrics in a process that is connected to Ray. One thread uses it."""

    def __init__(self) -> None:
        self._jobs = _gauge(JOBS)
        self._rows = _gauge(ROWS)
        self._reserved, self._used, self._total = map(_gauge, (RESERVED, USED, TOTAL))
        self._waits = Histogram(WAITS.name, WAITS.text, _WAIT_BOUNDS_S, WAITS.labels)
        self._attempts = Counter(ATTEMPTS.name, ATTEMPTS.text, ATTEMPTS.labels)
        self._retries = Counter(RETRIES.name, RETRIES.text, RETRIES.labels)
        self._rated: dict[tuple[str, str], dict[str, str]] = {}

    def update(self, figures: Figures) -> None:
        """Show these figures from now on; takes no time worth naming.

        A job that is over goes to zero, and then disappears.
        """
        for state in State:
            self._jobs.set(figures.jobs.get(state, 0), _labels(state=state))
        self._update_rates(figures.rates)
        for gpu in figures.gpus:
            self._update_gpu(gpu)
        for wait_s in figures.waits_s:
            self._waits.observe(wait_s)
        if figures.attempts:
            self._attempts.inc(figures.attempts)
        for cause, count in figures.retries.items():
            self._retries.inc(count, _labels(cause=cause))

    def _update_rates(self, rates: tuple[Rate, ...]) -> None:
        now = {
            (rate.job_id, rate.name): _labels(job_id=rate.job_id, name=rate.name)
            for rate in rates
        }
        for over in self._rated.keys() - now.keys():
            self._rows.set(0.0, self._rated[over])
        for rate in rates:
            self._rows.set(rate.rows_per_second, now[rate.job_id, rate.name])
        self._rated = now

    def _update_gpu(self, figures: GpuFigures) -> None:
        gpu, labels = figures.gpu, figures.labels()
        self._reserved.set(figures.reserved_bytes, labels)
        self._used.set(gpu.total_bytes - gpu.free_bytes, labels)
        self._total.set(gpu.total_bytes, labels)


def _gauge(metric: Metric) -> Gauge:
    return Gauge(metric.name, metric.text, metric.labels)


def _labels(**labels: str) -> dict[str, str]:
    # Ray 2.60 refuses a label's value that is not ASCII.
    return {
        key: text.encode("ascii", "backslashreplace").decode()
        for key, text in labels.items()
    }
