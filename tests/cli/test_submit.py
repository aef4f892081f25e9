from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from orchestrator.errors import Code, Fault
from orchestrator.render.plan import plan_table
from tests.cli.conftest import JOB_FILE, Orch
from tests.client import documents
from tests.client.fake_controller import FakeController

PLAN = documents.plan(0, 1)


def _script(place: Path) -> list[dict[str, object]]:
    plan = PLAN.to_json()
    early = {"rows_done": 0, "rows_failed": 0}
    first = {"first_result_seconds": 1.8}
    loading, ready = documents.replicas("loading"), documents.replicas("ready")
    results = str(place / "out" / "42" / "results.jsonl")
    return [
        documents.job(state="PENDING", progress=early),
        documents.job(state="LOADING", plan=plan, replicas=loading, progress=early),
        documents.job(plan=plan, replicas=ready, progress=first),
        documents.job(
            plan=plan,
            replicas=ready,
            progress={**first, "phase": "merging"},
            notices=["replica 1 is lost; its rows run elsewhere"],
        ),
        documents.job(
            state="SUCCEEDED",
            plan=plan,
            results=results,
            progress={**first, "rows_done": 12000, "rows_failed": 4},
            notices=["replica 1 is lost; its rows run elsewhere"],
        ),
    ]


def _without_clock(text: str) -> list[str]:
    return [line[9:] if line[2:3] == ":" else line for line in text.splitlines()]


def test_a_job_is_followed_to_its_results(
    orch: Orch, controller: FakeController, place: Path
) -> None:
    controller.script = _script(place)
    done = orch("submit", "embed.yaml")
    assert done.code == 0
    assert done.out == "./out/42/results.jsonl\n"
    assert _without_clock(done.err) == [
        "embed.yaml  batch  all-MiniLM-L6-v2  → /nowhere/out/42",
        "Job 42 'embed' submitted · Ctrl-C detaches; the job keeps running",
        *plan_table(PLAN, "all-MiniLM-L6-v2"),
        "job 42 loading 2 replicas on local:0,1",
        "job 42 ready 2/2 replicas",
        "job 42 first result after 1.8 s",
        "job 42 notice: replica 1 is lost; its rows run elsewhere",
        "job 42 merging 4,210 rows in input order",
        "✓ Job 42 succeeded in 4m21s · 11,996 ok, 4 failed rows",
        "  orch results 42 --head 3   look at the first rows",
        "  orch results 42 --failed   rows that failed, and why",
    ]


def test_json_is_one_document_and_silence(
    orch: Orch, controller: FakeController, place: Path
) -> None:
    controller.script = _script(place)
    done = orch("submit", "embed.yaml", "--json")
    assert (done.code, done.err) == (0, "")
    assert json.loads(done.out)["schema"] == "orch.submit/v1"
    assert done.data["job"]["state"] == "SUCCEEDED"


def test_quiet_prints_only_the_path(
    orch: Orch, controller: FakeController, place: Path
) -> None:
    controller.script = _script(place)
    done = orch("submit", "-q", "embed.yaml")
    assert (done.out, done.err) == ("./out/42/results.jsonl\n", "")


@pytest.mark.usefixtures("controller")
def test_detached_prints_only_the_id(orch: Orch) -> None:
    assert orch("submit", "-d", "embed.yaml").out == "42\n"
    done = orch("submit", "--detach", "--json", "embed.yaml")
    assert (done.data["job"]["id"], done.err) == (43, "")


def test_options_change_the_job_that_is_sent(
    orch: Orch, controller: FakeController, place: Path
) -> None:
    settings = ("--set", "resources.gpus=1", "--set", "params.max_length=64")
    done = orch("submit", "-d", "embed.yaml", *settings, "-n", "n1", "-o", "here")
    assert done.code == 0
    (request,) = controller.asked("/v1/jobs")
    spec = request["spec"]
    assert spec["name"] == "n1"
    assert spec["output"]["path"] == str(place / "here")
    assert spec["params"]["max_length"] == 64
    assert spec["resources"]["gpus"] == {"minimum": 1, "maximum": 1}
    assert request["source"] == {
        "path": "embed.yaml",
        "folder": str(place),
        "text": JOB_FILE,
    }


def test_a_job_comes_from_stdin(
    orch: Orch, controller: FakeController, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(JOB_FILE.encode())))
    assert orch("submit", "-d", "-").code == 0
    (request,) = controller.asked("/v1/jobs")
    assert request["source"]["text"] == JOB_FILE


def test_a_bad_file_stops_before_anything_is_started(orch: Orch, place: Path) -> None:
    (place / "embed.yaml").write_text(JOB_FILE + "keep: 1\nresources: {gpu: 1}\n")
    done = orch("submit", "embed.yaml")
    assert (done.code, done.out) == (2, "")
    assert done.err.count("error[E201 unknown-field]: embed.yaml:") == 2
    assert done.err.endswith("2 errors\n")
    assert not (place / "state").exists()
    in_json = orch("submit", "embed.yaml", "--json")
    error = json.loads(in_json.out)["error"]
    assert (in_json.code, error["exit_code"], len(error["faults"])) == (2, 2, 2)


def test_what_can_never_fit_exits_5(orch: Orch, controller: FakeController) -> None:
    fault = Fault(Code.NOT_ENOUGH_GPU_MEMORY, "it needs 131.5 GiB", (), "a smaller one")
    controller.refuse = documents.faults(fault)
    done = orch("submit", "embed.yaml")
    assert done.code == 5
    assert "error[E101 not-enough-gpu-memory]: it needs 131.5 GiB" in done.err


def _fault(code: Code) -> list[dict[str, object]]:
    return [Fault(code, "this is why").to_json()]


@pytest.mark.parametrize(
    ("end", "code"),
    [
        (documents.job(state="CANCELLED"), 7),
        (documents.job(state="FAILED"), 1),
        (documents.job(state="FAILED", faults=_fault(Code.TOO_MANY_FAILED_ROWS)), 11),
        (documents.job(state="FAILED", faults=_fault(Code.RUNNER_LOST)), 10),
        (documents.job(state="FAILED", faults=_fault(Code.MODEL_FAILED_TO_LOAD)), 1),
    ],
)
def test_the_exit_code_is_the_outcome(
    orch: Orch, controller: FakeController, end: dict[str, object], code: int
) -> None:
    controller.script = [documents.job(state="RUNNING"), end]
    assert orch("submit", "embed.yaml", "--json").code == code
    done = orch("submit", "embed.yaml")
    assert done.code == code
    assert ("this is why" in done.err) == bool(end["faults"])
