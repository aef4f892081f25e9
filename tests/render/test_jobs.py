from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestrator.client.views import JobView
from orchestrator.errors import Code, Fault
from orchestrator.lifecycle.states import State
from orchestrator.render.detail import job_detail
from orchestrator.render.jobs import counts_line, gpus_text, jobs_table
from orchestrator.render.outcome import next_commands, outcome_line
from tests.client import documents

NOW = datetime(2026, 1, 2, 3, 6, 15, tzinfo=UTC)
FAULT = Fault(Code.GPU_LOST, "local:0 fell off the bus")

RUNNING = JobView.from_json(documents.job(plan=documents.plan(0, 1).to_json()))
PENDING = JobView.from_json(
    documents.job(
        43,
        "PENDING",
        diagnosis=documents.diagnosis(ever=True).to_json(),
        progress={"rows_total": None, "rows_done": 0, "rows_failed": 0},
    )
)
FAILED = JobView.from_json(documents.job(41, "FAILED", faults=[FAULT.to_json()]))


def test_the_table_shows_where_each_job_is_and_why() -> None:
    lines = jobs_table([PENDING, RUNNING, FAILED], NOW)
    assert [line[:32] for line in lines] == [
        "ID  NAME   KIND   STATE    GPUS ",
        "43  embed  batch  PENDING  -    ",
        "42  embed  batch  RUNNING  local",
        "41  embed  batch  FAILED   -    ",
    ]
    assert [line[27:66] for line in lines] == [
        "GPUS       VRAM     PROGRESS           ",
        "-          -        -                  ",
        "local:0,1  1.0 GiB  4,210/12,000, 2 fai",
        "-          -        4,210/12,000, 2 fai",
    ]
    assert [line[71:] for line in lines] == [
        "AGE    REASON",
        "2m10s  it needs 1 GPU with 40.0 GiB",
        "2m10s  46.8 rows/s, ETA 2m46s",
        "2m10s  E105 local:0 fell off the bus",
    ]


def test_counts_say_what_is_hidden() -> None:
    counts = {State.PENDING: 1200, State.RUNNING: 1, State.FAILED: 2}
    assert counts_line(counts, 1201, every=False) == (
        "1,200 pending, 1 running · 2 finished hidden (-a)"
    )
    assert counts_line(counts, 200, every=True) == (
        "1,200 pending, 1 running, 2 failed · 1,003 not shown (-n)"
    )
    assert counts_line({}, 0, every=False) == "no unfinished jobs"
    assert counts_line({}, 0, every=True) == "no jobs"


@pytest.mark.parametrize(
    ("names", "text"),
    [
        ([], "-"),
        (["local:0", "local:1"], "local:0,1"),
        (["a:0", "b:3", "a:1"], "a:0,1 b:3"),
        (["fe80::1:0"], "fe80::1:0"),
    ],
)
def test_gpus_are_grouped_by_node(names: list[str], text: str) -> None:
    assert gpus_text(names) == text


def test_the_detail_names_replicas_times_and_paths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    job = JobView.from_json(
        documents.job(
            started_at="2026-01-02T03:04:15Z",
            progress={"first_result_seconds": 1.8},
            replicas=[*documents.replicas("ready", 1), *documents.replicas("lost", 1)],
            output=str(tmp_path / "out/42"),
            notices=["replica 1 is lost; its rows run elsewhere"],
        )
    )
    assert job_detail(job, NOW) == [
        "JOB       42 'embed' (batch)",
        "STATE     RUNNING  46.8 rows/s, ETA 2m46s",
        "MODEL     all-MiniLM-L6-v2",
        "PROGRESS  4,210/12,000 rows, 2 failed",
        "TIME      waited 10 s, ran 2m00s, first result 1.8 s",
        "REPLICAS  0 on local:0 ready",
        "          0 on local:0 lost",
        "OUTPUT    ./out/42",
        "NOTICE    replica 1 is lost; its rows run elsewhere",
    ]


DONE = {"rows_done": 12000, "rows_failed": 4}


@pytest.mark.parametrize(
    ("document", "line"),
    [
        (
            documents.job(state="SUCCEEDED", progress=DONE),
            "✓ Job 42 succeeded in 4m21s · 11,996 ok, 4 failed rows",
        ),
        (
            documents.job(state="SUCCEEDED", progress={**DONE, "rows_reused": 9}),
            "✓ Job 42 succeeded in 4m21s · 11,996 ok, 4 failed rows, "
            "9 from an earlier run",
        ),
        (
            documents.job(state="CANCELLED"),
            "Job 42 cancelled after 4m21s · 4,208 ok, 2 failed rows, 7,790 not run",
        ),
        (
            documents.job(state="FAILED", progress={"rows_total": None}),
            "✗ Job 42 failed after 4m21s · 4,208 ok, 2 failed rows",
        ),
    ],
)
def test_the_last_line_counts_every_row(document: dict[str, object], line: str) -> None:
    assert outcome_line(JobView.from_json(document)) == line


def test_the_next_commands_fit_the_outcome() -> None:
    def commands(**changes: object) -> list[str]:
        job = JobView.from_json(documents.job(**changes))  # type: ignore[arg-type]
        return [" ".join(line.split()[:4]) for line in next_commands(job)]

    clean = {"rows_failed": 0}
    assert commands(state="SUCCEEDED", results="/r", progress=clean) == [
        "orch results 42 --head"
    ]
    assert commands(state="FAILED") == [
        "orch results 42 --failed",
        "orch explain 42 what",
        "orch retry 42 goes",
    ]
    assert commands(state="FAILED", progress={"rows_done": 0, "rows_failed": 0}) == [
        "orch explain 42 what",
        "orch retry 42 run",
    ]
