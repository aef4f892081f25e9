"""The queue of orch: one job, many jobs, and very many that wait."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from benchmarks.queueing.process import cpu_note, orch
from benchmarks.queueing.table import Measured
from orchestrator.client.client import Client
from orchestrator.client.request import job_request
from orchestrator.client.waiting import wait_for
from orchestrator.errors import OrchError
from orchestrator.lifecycle.states import State
from orchestrator.spec.checked import CheckedJob
from orchestrator.spec.job import validate_job
from orchestrator.units import MIB

NAME = "**orch**"
TRUE = "version: 1\nkind: command\nrun: 'true'\nworkdir: null\n"
ARRAY = 10_000
PLAIN_PART = 50
"""Of the jobs that wait, every so manieth is no task of an array."""
SUBMITS, STATUSES = 200, 10
WARM_UP = 3


@contextmanager
def controller(folder: Path) -> Iterator[None]:
    """A controller with a state folder of its own, warm."""
    os.environ["ORCH_STATE_DIR"] = str(folder / "state")
    (folder / "true.yaml").write_text(TRUE)
    orch(folder, "up", "-q")
    try:
        for _ in range(WARM_UP):
            orch(folder, "submit", "true.yaml")
        yield
    finally:
        orch(folder, "down", "-q")


def one(folder: Path, runs: int) -> Measured:
    """The whole command line, attached to a job to its end."""
    done = [orch(folder, "submit", "true.yaml") for _ in range(runs)]
    note = f"`orch submit true.yaml`, attached; {cpu_note(done)}"
    walls = tuple(one.wall_s for one in done)
    return Measured("one job, to its end", NAME, "s", walls, 0.5, note)


def many(folder: Path, jobs: int) -> list[Measured]:
    """From the first submit to the end of the last job; every job durable."""
    case = f"{jobs:,} jobs, to the last one's end"
    with Client.connect(folder / "state") as client:
        began = time.monotonic()
        for _ in range(jobs):
            client.submit(body(folder))
        _wait_for_all(client)
        each = jobs / (time.monotonic() - began)
        began = time.monotonic()
        whole = client.submit(body(folder, array={"range": f"0-{jobs - 1}"}))
        wait_for(client, whole.key)
        together = jobs / (time.monotonic() - began)
    one_by_one = "durable; a request each, one after the other"
    return [
        Measured(case, NAME, "jobs/s", (each,), 50, one_by_one),
        Measured(case, NAME, "jobs/s", (together,), 50, "durable; one array"),
    ]


def waiting(folder: Path, jobs: int) -> list[Measured]:
    """All those jobs wait behind one that has the machine to itself."""
    case = f"{jobs:,} jobs wait"
    with Client.connect(folder / "state") as client:
        block(client, folder)
        how = fill(client, folder, jobs)
        more = "one more, through one connection"
        rows = [
            Measured(case, NAME, "ms", submits(client, folder), 20, more, 0.99),
            status(folder, case),
        ]
        memory = psutil.Process(client.health().pid).memory_info().rss / MIB
    rows.append(Measured(case, NAME, "MiB", (memory,), 400, "the controller's RSS"))
    took = restart(folder, jobs)
    note = f"killed by SIGKILL; until the new one lists all of them; {how}"
    return [*rows, Measured(case, NAME, "s", (took,), None, note)]


def block(client: Client, folder: Path) -> None:
    """A job that takes all cores, and runs."""
    wanted = {"cpus": psutil.cpu_count()}
    job = client.submit(body(folder, run="sleep 86400", resources=wanted))
    while job.state is not State.RUNNING:
        job = client.job(job.key, after=job.version, wait_s=10)


def fill(client: Client, folder: Path, jobs: int) -> str:
    """Queue so many; how that was done."""
    plain = jobs // PLAIN_PART
    began = time.monotonic()
    for _ in range(plain):
        client.submit(body(folder))
    left = jobs - plain
    while left:
        tasks = min(left, ARRAY)
        client.submit(body(folder, array={"range": f"0-{tasks - 1}"}))
        left -= tasks
    took = time.monotonic() - began
    return f"{plain:,} plain jobs and arrays of up to {ARRAY:,}, queued in {took:.0f} s"


def submits(client: Client, folder: Path) -> tuple[float, ...]:
    """Milliseconds of each of some more submits."""
    took = []
    for _ in range(SUBMITS):
        began = time.monotonic()
        client.submit(body(folder))
        took.append(1000 * (time.monotonic() - began))
    return tuple(took)


def status(folder: Path, case: str) -> Measured:
    """The list of the newest jobs, by the whole command line."""
    done = [orch(folder, "status") for _ in range(STATUSES)]
    walls = tuple(1000 * one.wall_s for one in done)
    return Measured(case, NAME, "ms", walls, 300, f"`orch status`; {cpu_note(done)}")


def restart(folder: Path, jobs: int) -> float:
    """Seconds from the controller's death until another one has all the jobs."""
    with Client.connect(folder / "state") as client:
        pid = client.health().pid
    began = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    while not _is_back(folder, pid):
        threading.Event().wait(0.05)
    with Client.connect(folder / "state") as client:
        listed = client.jobs(every=False, limit=10_000)
    if sum(job.tasks.total if job.tasks else 1 for job in listed.jobs) < jobs:
        raise SystemExit("the restarted controller has lost jobs")
    return time.monotonic() - began


def _is_back(folder: Path, pid: int) -> bool:
    try:
        with Client.connect(folder / "state") as client:
            return client.health().pid != pid
    except OrchError:
        return False


def body(folder: Path, **changes: Any) -> dict[str, Any]:  # noqa: ANN401
    """The request for a job that runs `true`."""
    given = {"version": 1, "kind": "command", "run": "true", "workdir": None, **changes}
    spec = validate_job(given).model_dump(mode="json")
    return job_request(CheckedJob(spec, TRUE, Path("true.yaml"), folder))


def _wait_for_all(client: Client) -> None:
    listed = client.jobs(every=False, limit=1)
    while listed.jobs:
        wait_for(client, listed.jobs[0].key)
        listed = client.jobs(every=False, limit=1)
