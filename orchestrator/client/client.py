"""The controller's API as typed methods."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from orchestrator.client.address import ray_runs, read_address
from orchestrator.client.fleet_views import GpusView, Health
from orchestrator.client.story import StoryEvent, Usage
from orchestrator.client.views import JobView
from orchestrator.client.watch import RETRY_SECONDS, watch
from orchestrator.client.wire import Wire
from orchestrator.errors import Code, OrchError
from orchestrator.lifecycle.key import JobKey
from orchestrator.lifecycle.states import State
from orchestrator.scheduling.plan import Diagnosis, Plan

RESTART_SECONDS = 30.0
"""How long a controller that was killed may take to be back."""
SUBMIT_SECONDS = 60.0
"""Estimating may read a model's config from a slow disk or the network."""
LISTED = 200
"""How many jobs a list has unless more are asked for."""

Key = JobKey | int
"""A job's number will do where the job is no task."""
RetryMode = Literal["resume", "failed", "scratch"]


@dataclass(frozen=True, slots=True)
class JobList:
    """Some of the jobs, newest first, and how many there are in each state."""

    jobs: tuple[JobView, ...]
    counts: dict[State, int]


class Client:
    """A connection to the controller of one state folder; usable from any thread."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._wire = Wire(read_address(folder))
        self._closed = False

    @classmethod
    def connect(cls, folder: Path) -> Client:
        """A client whose controller has answered.

        A controller that died is started again by Ray within seconds, so while its
        Ray runs it is worth waiting for.

        Raises:
            OrchError: E302, none is there or it does not answer; E303.
        """
        deadline = time.monotonic() + RESTART_SECONDS
        pause = threading.Event()
        while True:
            client = cls(folder)
            try:
                client.health()
            except OrchError as error:
                client.close()
                gone = error.fault.code is Code.CONTROLLER_UNREACHABLE
                if not gone or not ray_runs(folder) or time.monotonic() > deadline:
                    raise
            else:
                return client
            pause.wait(RETRY_SECONDS)

    def close(self) -> None:
        """Give the connections back; a thread that still watches comes to its end."""
        self._closed = True
        self._wire.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def url(self) -> str:
        """Where the controller is."""
        return self._wire.address.url

    @property
    def wire(self) -> Wire:
        """The door to the controller, as it is now."""
        return self._wire

    def reconnect(self) -> None:
        """Read the controller's address again: it may have been restarted.

        Raises:
            OrchError: E302, there is none.
        """
        address = read_address(self.folder)
        if not self._closed and address != self._wire.address:
            self._wire.drop_idle()
            self._wire = Wire(address)

    def health(self) -> Health:
        """Who the controller is."""
        return Health.from_json(self._wire.get("/v1/health"))

    def submit(self, body: dict[str, Any]) -> JobView:
        """Queue a job (`request.job_request` makes the body).

        Raises:
            OrchError: E101 if it can never fit; nothing is queued then.
        """
        answer = self._wire.post("/v1/jobs", body, wait_s=SUBMIT_SECONDS)
        return JobView.from_json(answer["job"])

    def plan(self, body: dict[str, Any]) -> dict[str, Any]:
        """What would happen to a job now (see `plan_from_json`); none is queued."""
        answer: dict[str, Any] = self._wire.post(
            "/v1/plan", body, wait_s=SUBMIT_SECONDS
        )
        return answer

    def jobs(
        self,
        *,
        every: bool,
        states: tuple[State, ...] = (),
        limit: int = LISTED,
        **more: str,
    ) -> JobList:
        """The newest jobs.

        Args:
            every: Finished ones too.
            states: Only these, if any are named.
            limit: At most so many.
            more: Further parameters: `name`, the beginning of a name; `order`:
                `newest`, also where older ones are active.
        """
        asked: dict[str, object] = {"all": int(every), "limit": limit, **more}
        if states:
            asked["state"] = ",".join(states)
        return _list(self._wire.get("/v1/jobs", asked))

    def tasks(
        self,
        number: int,
        *,
        states: tuple[State, ...] = (),
        limit: int = LISTED,
        offset: int = 0,
    ) -> JobList:
        """Tasks of an array, by their index."""
        asked: dict[str, object] = {"all": 1, "limit": limit, "offset": offset}
        if states:
            asked["state"] = ",".join(states)
        return _list(self._wire.get(f"/v1/jobs/{number}/tasks", asked))

    def job(self, key: Key, *, after: int | None = None, wait_s: float = 0) -> JobView:
        """One job; with `after`, once it is newer, or after `wait_s` (<= 30).

        Raises:
            OrchError: E301, there is no such job.
        """
        asked = {} if after is None else {"after": after, "wait": wait_s}
        answer = self._wire.get(f"/v1/jobs/{key}", asked, wait_s=wait_s)
        return JobView.from_json(answer["job"])

    def watch(self, key: Key) -> Iterator[JobView]:
        """The job now, then each time it changes, to its end.

        Outlives dropped connections and a controller that is restarted.

        Raises:
            OrchError: E302 after about 30 s without a controller; E301.
        """
        return watch(self, key)

    def story(self, key: Key) -> tuple[StoryEvent, ...]:
        """What happened to a job, oldest first."""
        answer = self._wire.get(f"/v1/jobs/{key}/story")
        return tuple(StoryEvent.from_json(event) for event in answer["events"])

    def cancel(
        self,
        key: Key,
        *,
        force: bool,
        grace_s: float | None = None,
        reason: str = "",
    ) -> JobView:
        """Stop a job; `force`: without letting running chunks finish."""
        body = {"force": force, "grace_s": grace_s, "reason": reason}
        answer = self._wire.post(f"/v1/jobs/{key}/cancel", body)
        return JobView.from_json(answer["job"])

    def retry(self, key: Key, mode: RetryMode) -> JobView:
        """Start a job that has ended once more, as its next attempt.

        Raises:
            OrchError: E304, it has not ended.
        """
        answer = self._wire.post(f"/v1/jobs/{key}/retry", {"mode": mode})
        return JobView.from_json(answer["job"])

    def gpus(self) -> GpusView:
        """The GPUs, and what is promised on them."""
        return GpusView.from_json(self._wire.get("/v1/gpus"))

    def history(self, since: str | None = None) -> tuple[Usage, ...]:
        """Who held which GPU for how long; `since` is RFC 3339."""
        asked = {} if since is None else {"since": since}
        answer = self._wire.get("/v1/history", asked)
        return tuple(Usage.from_json(entry) for entry in answer["usage"])


def plan_from_json(answer: dict[str, Any]) -> Plan | Diagnosis:
    """A plan or a diagnosis from what /v1/plan answers."""
    if "plan" in answer:
        return Plan.from_json(answer["plan"])
    return Diagnosis.from_json(answer["diagnosis"])


def _list(answer: dict[str, Any]) -> JobList:
    counts = answer.get("counts", {})
    return JobList(
        jobs=tuple(JobView.from_json(job) for job in answer["jobs"]),
        counts={state: counts[state] for state in State if counts.get(state)},
    )
