"""The lists of a fake controller: jobs and tasks, as its parameters ask for them."""

from __future__ import annotations

from typing import Any

from tests.client import documents

Document = dict[str, Any]
Query = dict[str, str]


def job_list(jobs: list[Document], asked: Query) -> Document:
    """GET /v1/jobs: newest first."""
    whole = [job for job in jobs if job["task"] is None]
    states = asked["state"].split(",") if "state" in asked else None
    shown = [
        job
        for job in sorted(whole, key=lambda job: int(job["id"]), reverse=True)
        if (asked["all"] == "1" or job["state"] not in documents.FINAL)
        and (states is None or job["state"] in states)
        and job["name"].startswith(asked.get("name", ""))
    ]
    return {"jobs": shown[: int(asked.get("limit", 200))], "counts": _counts(whole)}


def task_list(jobs: list[Document], number: int, asked: Query) -> Document:
    """GET /v1/jobs/N/tasks: by index."""
    of = [job for job in jobs if job["id"] == number and job["task"] is not None]
    tasks = sorted(of, key=lambda job: int(job["task"]))
    first = int(asked.get("offset", 0))
    shown = tasks[first : first + int(asked.get("limit", 200))]
    return {"jobs": shown, "counts": _counts(tasks)}


def _counts(jobs: list[Document]) -> dict[str, int]:
    states = [str(job["state"]) for job in jobs]
    return {state: states.count(state) for state in states}
