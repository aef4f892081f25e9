"""The controller's API as typed methods."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from orchestrator.client.address import ray_runs, read_address
from orchestrator.client.views import GpusView, Health, JobView
from orchestrator.client.watch import RETRY_SECONDS, watch
from orchestrator.client.wire import Wire
from orchestrator.errors import Code, OrchError
from orchestrator.scheduling.plan import Diagnosis, Plan

RESTART_SECONDS = 15.0
"""How long a controller that was killed may take to be back."""
SUBMIT_SECONDS = 60.0
"""Estimating may read a model's config from a slow disk or the network."""


class Client:
    """A connection to the controller of one state folder."""

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

    def reconnect(self) -> None:
        """Read the controller's address again: it may have been restarted.

        Raises:
            OrchError: E302, there is none.
        """
        address = read_address(self.folder)
        self._wire.close()
        if not self._closed:
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

    def jobs(self, *, every: bool) -> tuple[JobView, ...]:
        """The jobs, newest first; `every`: finished ones too."""
        answer = self._wire.get("/v1/jobs", all=int(every))
        return tuple(JobView.from_json(job) for job in answer["jobs"])

    def job(
        self, job_id: int, *, after: int | None = None, wait_s: float = 0
    ) -> JobView:
        """One job; with `after`, once it is newer, or after `wait_s` (<= 30).

        Raises:
            OrchError: E301, there is no such job.
        """
        asked = {} if after is None else {"after": after, "wait": wait_s}
        answer = self._wire.get(f"/v1/jobs/{job_id}", wait_s=wait_s, **asked)
        return JobView.from_json(answer["job"])

    def watch(self, job_id: int) -> Iterator[JobView]:
        """The job now, then each time it changes, to its end.

        Outlives dropped connections and a controller that is restarted.

        Raises:
            OrchError: E302 after about 30 s without a controller; E301.
        """
        return watch(self, job_id)

    def cancel(self, job_id: int, *, force: bool) -> JobView:
        """Stop a job; `force`: without letting running chunks finish."""
        path = f"/v1/jobs/{job_id}/cancel"
        return JobView.from_json(self._wire.post(path, {"force": force})["job"])

    def gpus(self) -> GpusView:
        """The GPUs, and what is promised on them."""
        return GpusView.from_json(self._wire.get("/v1/gpus"))


def plan_from_json(answer: dict[str, Any]) -> Plan | Diagnosis:
    """A plan or a diagnosis from what /v1/plan answers."""
    if "plan" in answer:
        return Plan.from_json(answer["plan"])
    return Diagnosis.from_json(answer["diagnosis"])
