from __future__ import annotations

from typing import Any

import pytest

from orchestrator.client.story import StoryEvent
from orchestrator.client.views import JobView
from orchestrator.errors import Code, Fault
from orchestrator.render.explain import explain_lines
from tests.client import documents

LOST = {
    "attempt": 1,
    "state": "LOST",
    "cause": "node_lost",
    "started_at": "2026-01-02T03:04:05Z",
    "finished_at": "2026-01-02T03:04:15Z",
    "text": "node a went away",
}


@pytest.fixture(autouse=True)
def clock_in_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")


def _lines(job: dict[str, Any], *events: dict[str, Any]) -> list[str]:
    story = [StoryEvent.from_json(event) for event in events]
    return explain_lines(JobView.from_json(job), story)


def test_why_a_job_waits() -> None:
    job = documents.command(
        state="PENDING",
        position=3,
        waiting=[
            documents.waiting("dependency", "after job 41, which is RUNNING", job=41),
            documents.waiting("busy", "held by job 40", needed_gib=13.4),
        ],
    )
    assert _lines(
        job,
        documents.event("03:04:05", "submitted", state="PENDING"),
        documents.event("03:04:06", "no place yet", "wait for a change", "look later"),
    ) == [
        "JOB      42 'hello' (command)",
        "STATE    PENDING, position 3 in the queue",
        "WAITING  dependency  after job 41, which is RUNNING",
        "         busy        held by job 40",
        "                     needed_gib=13.4",
        "WHERE    node local, pid 71",
        "STORY    2026-01-02",
        "         03:04:05  submitted  [PENDING]",
        "         03:04:06  no place yet",
        "                   → wait for a change",
        "                   → look later",
        "TRY      orch cancel 42   take it out of the queue",
    ]


def test_why_a_job_failed() -> None:
    fault = Fault(
        Code.EXITED_NON_ZERO, "the command exited with 3", ("KeyError: x",), "read it"
    )
    job = documents.command(
        state="FAILED",
        cause="exit_nonzero",
        attempt=2,
        attempts=[LOST],
        faults=[fault.to_json()],
        logs="/jobs/42",
    )
    assert _lines(job) == [
        "JOB       42 'hello' (command)",
        "STATE     FAILED after 2 attempts",
        "CAUSE     E402 exited-non-zero: the command exited with 3  (exit_nonzero)",
        "            KeyError: x",
        "ATTEMPTS  1 LOST after 10 s: node a went away",
        "WHERE     node local, pid 71",
        "LOG       /jobs/42",
        "TRY       read it",
        "          orch logs 42 --tail 20   what it wrote last",
        "          orch retry 42   once more; what is finished is kept",
    ]


def test_why_it_runs_where_it_runs() -> None:
    plan = documents.plan(0, 1)
    lines = _lines(documents.job(plan=plan.to_json()))
    assert "WHERE  local:0,1: the model fits on one GPU" in lines
    assert any(line.startswith("  REPLICA") for line in lines)


def test_a_cause_without_a_fault_is_said() -> None:
    job = documents.command(state="SKIPPED", cause="dependency")
    assert _lines(job)[1:3] == ["STATE  SKIPPED", "CAUSE  dependency"]
    ended = documents.event("03:04:05", "job 8 ended as LOST", state="SKIPPED")
    lines = _lines(job, {**ended, "event": "dependency_failed"})
    assert lines[2] == "CAUSE  dependency: job 8 ended as LOST"


def test_an_attempt_has_its_time_by_the_users_clock() -> None:
    at = "2026-01-02T03:04:05+00:00"
    later = documents.waiting("not_before", "attempt 2 is due at 03:04 UTC", at=at)
    later["data"]["attempt"] = 2
    lines = _lines(documents.command(state="PENDING", waiting=[later]))
    assert lines[2] == "WAITING  not_before  attempt 2 begins at 03:04:05"


def test_numbers_are_written_as_people_write_them() -> None:
    busy = documents.waiting("busy", "it needs 1 core", cpus=1.0, needed_bytes=3 << 30)
    lines = _lines(documents.command(state="PENDING", waiting=[busy]))
    assert lines[3].split() == ["needed=3.0", "GiB"]


def test_an_array_leads_to_its_tasks() -> None:
    tasks = {"total": 2, "FAILED": 2}
    lines = _lines(documents.command(state="FAILED", tasks=tasks))
    assert "its tasks" in lines[-2]
    assert "orch logs" not in "".join(lines)
