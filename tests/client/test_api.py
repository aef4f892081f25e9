from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import orchestrator as orch
from tests.client import documents
from tests.client.fake_controller import FakeController

ROOT = Path(__file__).parents[2]
FILE = "version: 1\nkind: command\nrun: echo hello\n"


@pytest.fixture(autouse=True)
def place(
    controller: FakeController, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    del controller
    monkeypatch.setenv("ORCH_STATE_DIR", str(tmp_path / "state"))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    (tmp_path / "work" / "hello.yaml").write_text(FILE)
    return tmp_path / "work"


def test_the_public_names_are_sorted_and_there() -> None:
    assert orch.__all__ == sorted(orch.__all__)
    assert dir(orch) == orch.__all__
    for name in orch.__all__:
        assert getattr(orch, name) is not None
    with pytest.raises(AttributeError, match="nothing_of_it"):
        _ = orch.nothing_of_it


def test_importing_it_imports_nothing_else() -> None:
    program = (
        "import sys; before = set(sys.modules); import orchestrator;"
        "new = {n for n in set(sys.modules) - before if not n.startswith('__')};"
        "sys.exit(str(new) if 'ray' in new or len(new) > 8 else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("source", ["hello.yaml", Path("hello.yaml"), "dict"])
def test_a_job_is_submitted_and_waited_for(
    controller: FakeController, source: str | Path
) -> None:
    controller.script = [
        documents.command(state="RUNNING"),
        documents.command(state="SUCCEEDED"),
    ]
    controller.logs.write(42, b"hello\n")
    what = {"version": 1, "kind": "command", "run": "echo hello"}
    job = orch.submit(what if source == "dict" else source, set={"priority": 3})
    assert (job.id, job.state) == (42, "RUNNING")
    assert job.wait() is orch.State.SUCCEEDED
    assert job.logs() == "hello\n"
    (request,) = controller.asked("/v1/jobs")
    assert request["spec"]["priority"] == 3


def test_waiting_gives_up_in_time(controller: FakeController) -> None:
    controller.add(5, documents.job(state="RUNNING"))
    assert orch.job(5).wait(timeout_s=0.0) is orch.State.RUNNING


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_rows_come_in_order(
    controller: FakeController, place: Path, suffix: str
) -> None:
    rows = [{"row": n, "text": "ü" * n} for n in range(3)]
    lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
    (place / "results.jsonl").write_text("".join(lines), "utf-8")
    pq.write_table(pa.Table.from_pylist(rows), place / "results.parquet")
    (place / "failed.jsonl").write_text('{"row": 3, "code": "E203"}\n')
    paths = {"output": str(place), "results": str(place / f"results.{suffix}")}
    controller.add(6, documents.job(state="SUCCEEDED", **paths))
    job = orch.job("last")
    assert list(job.results()) == list(job.results(partial=True)) == rows
    assert [row["code"] for row in job.failed()] == ["E203"]


def test_rows_so_far_are_read_from_the_parts(
    controller: FakeController, place: Path
) -> None:
    parts = place / ".orch" / "parts"
    parts.mkdir(parents=True)
    for first in (2, 0):
        table = pa.table(
            {"_row": [first, first + 1], "_key": [b"x"] * 2, "id": ["a"] * 2}
        )
        path = parts / f"{first:012d}-{2:09d}.arrow"
        with path.open("wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
            writer.write_table(table)
        with path.open("ab") as file:
            file.write(b"[]" + b"\0" * 16 + b"orchpart")
    controller.add(7, documents.job(state="RUNNING", output=str(place)))
    rows = orch.job(7).results(partial=True)
    assert list(rows) == [{"row": n, "id": "a"} for n in range(4)]
    with pytest.raises(orch.OrchError) as error:
        orch.job(7).results()
    assert error.value.fault.code is orch.Code.WRONG_STATE


def test_jobs_are_cancelled_and_retried(controller: FakeController) -> None:
    controller.add(8, documents.job(state="RUNNING"))
    (job,) = orch.jobs()
    job.cancel(reason="enough")
    assert controller.asked("/v1/jobs/8/cancel") == [
        {"force": False, "grace_s": None, "reason": "enough"}
    ]
    assert job.state is orch.State.CANCELLED
    assert orch.jobs() == ()
    assert orch.jobs(every=True) == (job,)
    job.retry("failed")
    assert (job.state, controller.asked("/v1/jobs/8/retry")) == (
        "PENDING",
        [{"mode": "failed"}],
    )


def test_what_is_wrong_is_an_error_with_its_code() -> None:
    for wrong in ({"version": 1}, "not-there.yaml"):
        with pytest.raises(orch.OrchError):
            orch.submit(wrong)
    with pytest.raises(orch.OrchError) as error:
        orch.job(99)
    assert error.value.fault.code is orch.Code.NO_SUCH_JOB
