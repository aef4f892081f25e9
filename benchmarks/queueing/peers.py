"""What others do with the same jobs: Ray's own jobs, and HyperQueue."""

from __future__ import annotations

import importlib.util
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.queueing.process import cpu_note, run
from benchmarks.queueing.table import Measured

CASE = "one job, to its end"
RAY_CLI, RAY_SDK = "`ray job submit`", "Ray Jobs SDK"
HYPERQUEUE = "HyperQueue `LocalCluster`"
POLL_S = 0.02
SDK_JOBS = 8
"""Each is a process with a Ray driver's libraries; more would take minutes."""
SDK_AT_ONCE = 4


def ray_rows(folder: Path, runs: int) -> list[Measured]:
    """`ray job submit` and the SDK, on a Ray of this process."""
    if importlib.util.find_spec("ray") is None:
        return [_not_installed(RAY_CLI, "ray"), _not_installed(RAY_SDK, "ray")]
    import ray
    from ray.job_submission import JobSubmissionClient

    context = ray.init(include_dashboard=True, log_to_driver=False)
    try:
        url = f"http://{context.dashboard_url}"
        client = JobSubmissionClient(url)
        _sdk_jobs(client, 1)
        command = (
            *(sys.executable, "-m", "ray.scripts.scripts", "job", "submit"),
            *("--address", url, "--", "true"),
        )
        cli = [run(command, folder) for _ in range(runs)]
        sdk = tuple(_sdk_jobs(client, 1) for _ in range(runs))
        rate = SDK_JOBS / _sdk_jobs(client, SDK_JOBS)
    finally:
        ray.shutdown()
    walls = tuple(one.wall_s for one in cli)
    polled = f"submitted, then asked every {1000 * POLL_S:.0f} ms"
    fewer = f"only {SDK_JOBS} jobs, {SDK_AT_ONCE} at a time; not durable"
    return [
        Measured(CASE, RAY_CLI, "s", walls, None, f"attached; {cpu_note(cli)}"),
        Measured(CASE, RAY_SDK, "s", sdk, None, polled),
        Measured("many jobs", RAY_SDK, "jobs/s", (rate,), None, fewer),
    ]


def _sdk_jobs(client: Any, jobs: int) -> float:  # noqa: ANN401
    """Seconds until so many jobs have ended."""
    from ray.job_submission import JobStatus

    began = time.monotonic()
    open_ids: set[str] = set()
    while jobs or open_ids:
        while jobs and len(open_ids) < SDK_AT_ONCE:
            open_ids.add(client.submit_job(entrypoint="true"))
            jobs -= 1
        for name in tuple(open_ids):
            status = client.get_job_status(name)
            if status == JobStatus.SUCCEEDED:
                open_ids.remove(name)
            elif status.is_terminal():
                raise SystemExit(f"{RAY_SDK}: {client.get_job_info(name).message}")
        threading.Event().wait(POLL_S)
    return time.monotonic() - began


def hyperqueue_rows(folder: Path, runs: int, jobs: int) -> list[Measured]:
    """One server and one worker in this process, and its Python client."""
    if importlib.util.find_spec("hyperqueue") is None:
        return [_not_installed(HYPERQUEUE, "hyperqueue")]
    from hyperqueue import Job, LocalCluster
    from hyperqueue.cluster import WorkerConfig

    def program(count: int) -> Any:  # noqa: ANN401
        job = Job(default_workdir=folder)
        for _ in range(count):
            job.program(["true"], stdout=None, stderr=None)
        return job

    with _quiet(), LocalCluster(worker_config=WorkerConfig()) as cluster:
        client = cluster.client()

        def took(count: int, tasks: int) -> float:
            def act() -> None:
                submitted = [client.submit(program(tasks)) for _ in range(count)]
                client.wait_for_jobs(submitted)

            return _seconds(act)

        took(1, 1)
        walls = tuple(took(1, 1) for _ in range(runs))
        each, together = jobs / took(jobs, 1), jobs / took(1, jobs)
    case = f"{jobs:,} jobs, to the last one's end"
    one = "Python API in a process that is up; its wait asks once a second"
    return [
        Measured(CASE, HYPERQUEUE, "s", walls, None, one),
        Measured(case, HYPERQUEUE, "jobs/s", (each,), None, "not durable; a job each"),
        Measured(case, HYPERQUEUE, "jobs/s", (together,), None, "not durable; one job"),
    ]


@contextmanager
def _quiet() -> Iterator[None]:
    """HyperQueue's own programs write to stdout, where the table goes."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def _seconds(act: Callable[[], None]) -> float:
    began = time.monotonic()
    act()
    return time.monotonic() - began


def _not_installed(system: str, package: str) -> Measured:
    return Measured(CASE, system, "s", note=f"`{package}` is not installed")
