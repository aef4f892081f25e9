from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orchestrator.errors import Code, Fault
from orchestrator.render.plan import diagnosis_lines, plan_table
from orchestrator.units import GIB
from tests.cli.conftest import Orch
from tests.client import documents
from tests.client.fake_controller import FakeController


@pytest.fixture
def jobs(controller: FakeController) -> FakeController:
    """Jobs 40 (failed), 41 (running) and 42 (waiting)."""
    fault = Fault(Code.GPU_LOST, "it fell off the bus")
    why = documents.diagnosis(ever=True).to_json()
    controller.add(40, documents.job(state="FAILED", faults=[fault.to_json()]))
    controller.add(41, documents.job(state="RUNNING", name="summary"))
    controller.on_cancel = lambda _force: [
        documents.job(state="CANCELLED", name="summary")
    ]
    controller.add(42, documents.job(state="PENDING", diagnosis=why))
    return controller


READERS = [
    ("status",),
    ("gpus",),
    ("results", "42"),
    ("cancel", "42"),
    ("wait", "42"),
    ("status", "last"),
]


@pytest.mark.parametrize("line", READERS, ids=" ".join)
def test_without_a_controller_it_is_e302_and_exit_3(
    orch: Orch, line: tuple[str, ...]
) -> None:
    said, in_json = orch(*line), orch(*line, "--json")
    assert (said.code, said.out) == (3, "")
    assert "error[E302 controller-unreachable]" in said.err
    assert "fix: orch up" in said.err
    assert (in_json.code, in_json.err) == (3, "")
    assert json.loads(in_json.out)["error"]["code"] == "E302"


@pytest.mark.usefixtures("jobs")
@pytest.mark.parametrize("command", ["status", "results", "cancel", "wait"])
def test_no_such_job_exits_6(orch: Orch, command: str) -> None:
    assert [orch(command, selector).code for selector in ("99", "zzz", "@~9")] == [
        6
    ] * 3


@pytest.mark.usefixtures("jobs")
def test_an_ambiguous_name_exits_2_with_candidates(orch: Orch) -> None:
    done = orch("cancel", "emb")
    assert done.code == 2
    assert "  42  embed  PENDING\n  40  embed  FAILED\n" in done.err


@pytest.mark.usefixtures("jobs")
def test_status_lists_unfinished_jobs(orch: Orch) -> None:
    done = orch("status")
    assert done.code == 0
    assert [line.split()[0] for line in done.out.splitlines()] == ["ID", "42", "41"]
    assert done.err == "1 pending, 1 running · 1 finished hidden (-a)\n"
    assert orch("status", "-q").out == "42\n41\n"
    assert orch("status", "-aq").out == "42\n41\n40\n"
    listed = orch("status", "--json", "-a").data["jobs"]
    assert [job["id"] for job in listed] == [42, 41, 40]


@pytest.mark.usefixtures("controller")
def test_an_empty_list_is_no_failure(orch: Orch) -> None:
    assert orch("status").code == 0
    assert orch("status", "--json").data == {"jobs": [], "counts": {}}
    assert orch("status", "-q").out == ""


@pytest.mark.usefixtures("jobs")
def test_status_of_a_job_says_why(orch: Orch) -> None:
    waiting = orch("status", "last").out
    for line in diagnosis_lines(documents.diagnosis(ever=True)):
        assert line in waiting
    assert "error[E105 gpu-lost]: it fell off the bus" in orch("status", "40").out
    assert orch("status", "sum", "--json").data["jobs"][0]["id"] == 41


def test_gpus(orch: Orch, controller: FakeController) -> None:
    done = orch("gpus")
    assert (done.code, done.err) == (0, "")
    assert "RTX 4090" in done.out
    assert orch("gpus", "-q").out == "local:0\n"
    assert orch("gpus", "--json").data == json.loads(json.dumps(controller.gpus))


@pytest.mark.usefixtures("controller")
def test_a_plan_that_can_start_exits_0(orch: Orch) -> None:
    done = orch("plan", "embed.yaml")
    table = plan_table(documents.plan(0, 1), "all-MiniLM-L6-v2")
    assert (done.code, done.out.splitlines()) == (0, table)
    assert done.err == "embed.yaml  batch  all-MiniLM-L6-v2  → ./out/{id}\n"
    assert orch("plan", "embed.yaml", "--json").data["plan"]["reason"]


@pytest.mark.parametrize(("ever", "code"), [(True, 4), (False, 5)])
def test_a_plan_that_cannot_start_says_why(
    orch: Orch, controller: FakeController, ever: bool, code: int
) -> None:
    why = documents.diagnosis(ever=ever)
    controller.plan = {"diagnosis": why.to_json()}
    done, in_json = orch("plan", "embed.yaml"), orch("plan", "embed.yaml", "--json")
    assert (done.code, in_json.code) == (code, code)
    assert in_json.data["diagnosis"]["ever"] is ever
    assert done.out.splitlines() == diagnosis_lines(why)


def test_cancel_is_idempotent(orch: Orch, jobs: FakeController) -> None:
    jobs.on_cancel = lambda _force: [
        documents.job(state="STOPPING", name="summary"),
        documents.job(
            state="CANCELLED",
            name="summary",
            returned=[{"gpu": "local:0", "free_bytes": 23 * GIB}],
        ),
    ]
    done = orch("cancel", "41", "40")
    assert (done.code, done.out) == (0, "41\n")
    said = done.err.splitlines()
    assert said[:2] == [
        "Cancelling job 41 'summary'; finished rows are kept …",
        "Job 40 is already FAILED (03:08:26). Nothing to do.",
    ]
    assert said[2].startswith("Job 41 is CANCELLED; stopped in 0.")
    assert said[3:] == [
        "VRAM returned: local:0 23.0 GiB free",
        "Resume: orch retry 41   (4,208 rows are kept)",
    ]
    again = orch("cancel", "41")
    assert (again.code, again.out) == (0, "")
    assert again.err == "Job 41 is already CANCELLED (03:08:26). Nothing to do.\n"
    assert orch("cancel", "41", "--force").code == 0
    assert orch("cancel", "41", "--json").data["jobs"][0]["state"] == "CANCELLED"
    forced = {"force": True, "grace_s": None, "reason": ""}
    assert jobs.asked("/v1/jobs/41/cancel")[2] == forced


def test_wait_ends_with_the_outcome(orch: Orch, controller: FakeController) -> None:
    running = documents.job(state="RUNNING")
    controller.add(1, running, documents.job(state="SUCCEEDED"))
    controller.add(2, running, documents.job(state="CANCELLED"))
    assert orch("wait", "1").code == 0
    assert orch("wait", "1", "2").code == 7
    assert orch("wait", "2", "--json").data["jobs"][0]["state"] == "CANCELLED"


@pytest.mark.usefixtures("jobs")
def test_wait_gives_up_in_time(orch: Orch) -> None:
    done = orch("wait", "41", "--timeout", "0s")
    assert (done.code, done.err) == (8, "Job 41 is RUNNING\n")
    assert orch("wait", "41", "--timeout", "10").code == 2


@pytest.fixture
def finished(controller: FakeController, place: Path) -> Path:
    """Job 42 with three rows of results and one that failed."""
    out = place / "out"
    out.mkdir()
    rows = [{"row": n, "text": "ü" * n} for n in range(3)]
    lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
    (out / "results.jsonl").write_text("".join(lines), "utf-8")
    pq.write_table(pa.Table.from_pylist(rows), out / "results.parquet")
    (out / "failed.jsonl").write_text('{"row": 3, "code": "E203"}\n')
    results = {"output": str(out), "results": str(out / "results.jsonl")}
    controller.add(42, documents.job(state="SUCCEEDED", **results))
    results["results"] = str(out / "results.parquet")
    controller.add(43, documents.job(state="SUCCEEDED", **results))
    controller.add(44, documents.job(state="RUNNING", output=str(place / "other")))
    return out


def test_results(orch: Orch, finished: Path) -> None:
    assert "FILE    ./out/results.jsonl" in orch("results", "42").out
    path = f"{finished / 'results.jsonl'}\n"
    assert orch("results", "42", "--path").out == path
    assert orch("results", "42", "-q").out == path
    assert orch("results", "42", "--json").data["results"] == path.strip()


@pytest.mark.usefixtures("finished")
@pytest.mark.parametrize("job", ["42", "43"])
def test_the_first_rows_are_the_same_in_both_formats(orch: Orch, job: str) -> None:
    lines = orch("results", job, "--head", "2").out.splitlines()
    assert lines == ['{"row": 0, "text": ""}', '{"row": 1, "text": "ü"}']
    assert len(orch("results", job, "--head", "9").out.splitlines()) == 3


@pytest.mark.usefixtures("finished")
def test_failed_rows(orch: Orch) -> None:
    assert orch("results", "42", "--failed").out == '{"row": 3, "code": "E203"}\n'
    none = orch("results", "44", "--failed")
    assert (none.code, none.out) == (0, "")


def test_results_that_are_not_there(orch: Orch, finished: Path) -> None:
    unfinished = orch("results", "44", "--path")
    assert (unfinished.code, unfinished.out) == (2, "")
    assert "fix: orch wait 44" in unfinished.err
    (finished / "results.jsonl").unlink()
    assert "error[E204" in orch("results", "42", "--head", "1").err


@pytest.mark.usefixtures("controller")
def test_up_says_where_everything_is(orch: Orch) -> None:
    done = orch("up")
    assert done.code == 0
    titles = [line.split()[0] for line in done.out.splitlines()]
    assert titles == ["CONTROLLER", "RAY", "DASHBOARD", "NODES"]
    assert done.err == "was running already\n"
    assert orch("up", "--json").data["dashboard"] == "http://127.0.0.1:8265"


def test_down_where_nothing_runs(orch: Orch) -> None:
    assert orch("down").err == "nothing was running\n"
    assert orch("down", "--json").data == {"stopped": []}
