from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from orchestrator.client.views import JobView
from orchestrator.render.plan import diagnosis_lines, plan_table
from orchestrator.render.story import Story
from tests.client import documents

BEGAN = datetime(2026, 1, 2, 10, 12, 0, tzinfo=UTC)


class Teller:
    """A story with a clock that the test moves."""

    def __init__(self, *, regular: bool = True) -> None:
        self._story = Story(BEGAN, regular=regular)

    def at(self, seconds: int, state: str = "RUNNING", **changes: object) -> list[str]:
        job = JobView.from_json(documents.job(state=state, **changes))
        return self._story.lines(job, BEGAN + timedelta(seconds=seconds))


def test_each_thing_new_is_told_once() -> None:
    tell = Teller()
    plan, early = documents.plan(0, 1), {"rows_done": 0, "rows_failed": 0}
    loading: dict[str, Any] = {
        "plan": plan.to_json(),
        "replicas": documents.replicas("loading"),
    }
    ready: dict[str, Any] = {
        "plan": plan.to_json(),
        "replicas": documents.replicas("ready"),
    }
    assert tell.at(0, "LOADING", **loading) == [
        *plan_table(plan, "all-MiniLM-L6-v2"),
        "10:12:00 job 42 loading 2 replicas on local:0,1",
    ]
    assert tell.at(1, "LOADING", **loading) == []
    assert tell.at(2, progress=early, **ready) == ["10:12:02 job 42 ready 2/2 replicas"]
    first = {"first_result_seconds": 1.8}
    assert tell.at(3, progress=first, **ready) == [
        "10:12:03 job 42 first result after 1.8 s"
    ]
    assert tell.at(4, progress={**first, "phase": "merging"}, **ready) == [
        "10:12:04 job 42 merging 4,210 rows in input order"
    ]


def test_a_running_job_is_mentioned_every_ten_seconds() -> None:
    tell = Teller()
    line = "job 42 running 4210/12000 rows 46.8 rows/s failed=2 ETA 2m46s"
    assert tell.at(9) == []
    assert tell.at(10) == [f"10:12:10 {line}"]
    assert tell.at(19) == []
    assert tell.at(20, progress={"eta_seconds": None, "rows_total": None}) == [
        "10:12:20 job 42 running 4210/? rows 46.8 rows/s failed=2"
    ]


def test_a_bar_needs_no_mentions_and_an_end_none_either() -> None:
    assert Teller(regular=False).at(60) == []
    assert Teller().at(60, "SUCCEEDED") == []


def test_waiting_is_told_again_only_when_its_reasons_change() -> None:
    tell = Teller()

    def waiting(seconds: int, *, ever: bool, free_bytes: int) -> list[str]:
        why = documents.diagnosis(ever=ever, free_bytes=free_bytes)
        return tell.at(seconds, "PENDING", diagnosis=why.to_json())

    first = documents.diagnosis(ever=True, free_bytes=1)
    assert waiting(0, ever=True, free_bytes=1) == [
        "10:12:00 job 42 waiting for GPUs",
        *(f"  {line}" for line in diagnosis_lines(first)),
    ]
    assert waiting(1, ever=True, free_bytes=2) == []
    assert waiting(2, ever=False, free_bytes=2) != []


def test_notices_come_as_they_come_wherever_they_stand() -> None:
    tell = Teller()
    assert tell.at(0, notices=["b"]) == ["10:12:00 job 42 notice: b"]
    assert tell.at(1, notices=["a", "b"]) == ["10:12:01 job 42 notice: a"]
    assert tell.at(2, notices=["a", "b"]) == []


def test_a_new_plan_is_shown() -> None:
    tell = Teller()
    assert tell.at(0, plan=documents.plan(0, 1).to_json())
    assert tell.at(1, plan=documents.plan(0, 1).to_json()) == []
    assert tell.at(2, plan=documents.plan(0).to_json()) == plan_table(
        documents.plan(0), "all-MiniLM-L6-v2"
    )
