"""The calls of the HTTP API that are about no job: the cluster, files, plans."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from orchestrator.controller.bodies import read_body, read_json
from orchestrator.controller.checking import check_job_file
from orchestrator.controller.refusing import refusal
from orchestrator.controller.service import Service
from orchestrator.errors import Code, Fault
from orchestrator.scheduling.plan import Plan

MAX_SNAPSHOT_BYTES = 64 << 20


class ClusterCalls:
    """Each hands over to a thread: the service may wait for the loop."""

    def __init__(
        self,
        service: Service,
        health: dict[str, Any],
        shutdown: Callable[[], None],
    ) -> None:
        """Answer for this service.

        Args:
            service: What answers.
            health: The constant part of /v1/health.
            shutdown: Called when the API is told to shut down.
        """
        self._service = service
        self._health = health
        self._shutdown = shutdown

    async def health(self, _request: Request) -> Response:
        """Who this is."""
        nodes = await run_in_threadpool(self._service.nodes)
        return JSONResponse({**self._health, "nodes": nodes})

    async def gpus(self, _request: Request) -> Response:
        """Every GPU and what is promised on it."""
        return JSONResponse(await run_in_threadpool(self._service.gpus))

    async def plan(self, request: Request) -> Response:
        """What would happen, without doing it."""
        body = await read_json(request)
        answer = await run_in_threadpool(self._service.plan, body)
        kind = "plan" if isinstance(answer, Plan) else "diagnosis"
        return JSONResponse({kind: answer.to_json()})

    async def check(self, request: Request) -> Response:
        """Read a job file, as it would be if it were submitted."""
        body = await read_json(request)
        return JSONResponse({"jobs": await run_in_threadpool(check_job_file, body)})

    async def snapshot(self, request: Request) -> Response:
        """Whether a job's files were sent already."""
        sha256 = request.path_params["sha256"]
        if await run_in_threadpool(self._service.snapshots.has, sha256):
            return JSONResponse({})
        return refusal(Fault(Code.FILE_NOT_FOUND, "no such snapshot"), status=404)

    async def put_snapshot(self, request: Request) -> Response:
        """Take a job's files."""
        body = await read_body(request, MAX_SNAPSHOT_BYTES)
        sha256 = request.path_params["sha256"]
        await run_in_threadpool(self._service.snapshots.put, sha256, body)
        return JSONResponse({})

    async def shutdown(self, _request: Request) -> Response:
        """Stop deciding; `orch down` then ends the processes."""
        self._shutdown()
        return JSONResponse({})
