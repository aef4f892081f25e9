from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.conftest import Orch
from tests.client import documents
from tests.client.fake_controller import FakeController

ROOT = Path(__file__).parents[2]


@pytest.fixture
def sweep(controller: FakeController) -> FakeController:
    """Job 50: an array of 30 tasks, and job 51, a batch that has failed."""
    counts = documents.tasks(PENDING=28, RUNNING=1, SUCCEEDED=1)
    controller.add(50, documents.command(50, "RUNNING", tasks=counts, name="sweep"))
    states = ["SUCCEEDED", "RUNNING", *["PENDING"] * 28]
    for index, state in enumerate(states):
        controller.add(f"50.{index}", documents.command(50, state, name="sweep"))
    controller.add(51, documents.job(51, "FAILED"))
    return controller


@pytest.mark.usefixtures("sweep")
def test_an_array_is_shown_with_its_first_tasks(orch: Orch) -> None:
    lines = orch("status", "50").out.splitlines()
    assert "PROGRESS  1/30 tasks, 1 running" in lines
    start = next(n for n, line in enumerate(lines) if line.startswith("ID "))
    assert lines[start + 1].split()[:4] == ["50.0", "sweep", "command", "SUCCEEDED"]
    assert lines[-1] == "10 more (-n 30)"
    assert orch("status", "50", "-n", "30").out.splitlines()[-1].startswith("50.29")
    assert orch("status", "50.1", "-q").out == "50.1\n"


def test_a_list_can_be_narrowed(orch: Orch, sweep: FakeController) -> None:
    assert orch("status", "-q").out == "50\n"
    assert orch("status", "-s", "failed", "-q").out == "51\n"
    assert orch("status", "-a", "-k", "batch", "-q").out == "51\n"
    assert orch("status", "-a", "-n", "1", "-q").out == "51\n"
    cut = orch("status", "-a", "-n", "1")
    assert cut.err == "1 running, 1 failed · 1 not shown (-n)\n"
    assert ("/v1/jobs", {"all": "1", "limit": "1"}) in sweep.queries


def test_the_last_job_is_asked_for_alone(orch: Orch, sweep: FakeController) -> None:
    assert orch("status", "last", "-q").out == "51\n"
    assert orch("status", "@~1", "-q").out == "50\n"
    limits = [query["limit"] for path, query in sweep.queries if path == "/v1/jobs"]
    assert limits == ["1", "2"]


@pytest.mark.usefixtures("sweep")
def test_the_exit_code_is_the_jobs_if_asked_for(orch: Orch) -> None:
    assert orch("status", "51").code == 0
    assert orch("status", "51", "--exit-code").code == 1
    assert orch("status", "50", "--exit-code").code == 8


@pytest.mark.usefixtures("sweep")
@pytest.mark.parametrize("options", [(), ("--json",), ("-q",)])
def test_watching_goes_on_until_ctrl_c(options: tuple[str, ...]) -> None:
    words = ["-m", "orchestrator", "status", "-w", "0.1s", *options]
    process = subprocess.Popen(
        # Where the tests run in the background the shell has it ignored.
        ["env", "--default-signal=INT", sys.executable, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.stdout is not None
    seen = 0
    while seen < 2:
        line = process.stdout.readline()
        assert line
        seen += "50" in line
    process.send_signal(signal.SIGINT)
    _out, said = process.communicate(timeout=20)
    assert (process.returncode, said) == (130, "")


def test_two_hundred_jobs_are_shown_in_a_quarter_of_a_second(
    orch: Orch, controller: FakeController
) -> None:
    plan = documents.plan(0, 1).to_json()
    for number in range(200):
        controller.add(number + 1, documents.job(number + 1, plan=plan))

    def seconds() -> float:
        began = time.perf_counter()
        assert len(orch("status").out.splitlines()) == 201
        return time.perf_counter() - began

    # The best of several: a busy machine is not the program's doing.
    assert any(seconds() <= 0.25 for _ in range(20))
