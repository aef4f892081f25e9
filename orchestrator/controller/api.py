"""The controller's HTTP API: JSON in, JSON out, a token on every call."""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from orchestrator.controller.asked import (
    Listing,
    cancel_wish,
    instant,
    log_part,
    number,
    retry_mode,
    whole,
)
from orchestrator.controller.changes import Changes
from orchestrator.controller.checking import check_job_file
from orchestrator.controller.service import Service
from orchestrator.errors import Code, Fault, OrchError
from orchestrator.lifecycle.key import JobKey
from orchestrator.scheduling.plan import Plan
from orchestrator.units import format_memory

MAX_BODY_BYTES = 32 << 20
MAX_SNAPSHOT_BYTES = 64 << 20
LOG_POLL_S = 0.1
MAX_WAIT_S = 30.0

_STATUS = {
    Code.NO_SUCH_JOB: 404,
    Code.NOT_ALLOWED: 401,
    Code.WRONG_STATE: 409,
    Code.NOT_ENOUGH_GPU_MEMORY: 409,
    Code.BUG: 500,
}

Handler = Callable[[Request], Awaitable[Response]]


class Api:
    """The endpoints. Each hands over to a thread: the service may wait for the loop."""

    def __init__(
        self,
        service: Service,
        changes: Changes,
        health: dict[str, Any],
        shutdown: Callable[[], None],
    ) -> None:
        """Serve this service.

        Args:
            service: What answers.
            changes: Wakes calls that wait for a job.
            health: The constant part of /v1/health.
            shutdown: Called when the API is told to shut down.
        """
        self._service = service
        self._changes = changes
        self._health = health
        self._shutdown = shutdown

    def app(self, token: str) -> Starlette:
        """The application; every call must carry this token."""

        def route(path: str, handler: Handler, method: str = "GET") -> Route:
            return Route(path, _guarded(handler, token), methods=[method])

        app = Starlette(
            exception_handlers={HTTPException: _no_such_call},
            routes=[
                route("/v1/health", self.health),
                route("/v1/jobs", self.jobs),
                route("/v1/jobs", self.submit, "POST"),
                route("/v1/plan", self.plan, "POST"),
                route("/v1/check", self.check, "POST"),
                route("/v1/jobs/{job}", self.job),
                route("/v1/jobs/{job}/tasks", self.tasks),
                route("/v1/jobs/{job}/story", self.story),
                route("/v1/jobs/{job}/logs", self.logs),
                route("/v1/jobs/{job}/logs/{rank}", self.log),
                route("/v1/jobs/{job}/cancel", self.cancel, "POST"),
                route("/v1/jobs/{job}/retry", self.retry, "POST"),
                route("/v1/history", self.history),
                route("/v1/snapshots/{sha256}", self.snapshot),
                route("/v1/snapshots/{sha256}", self.put_snapshot, "PUT"),
                route("/v1/gpus", self.gpus),
                route("/v1/shutdown", self.shutdown, "POST"),
            ],
        )
        app.router.redirect_slashes = False
        return app

    async def health(self, _request: Request) -> Response:
        """Who this is."""
        nodes = await run_in_threadpool(self._service.nodes)
        return JSONResponse({**self._health, "nodes": nodes})

    async def submit(self, request: Request) -> Response:
        """Accept a job."""
        body = await _json(request)
        view = await run_in_threadpool(self._service.submit, body)
        return JSONResponse({"job": view}, 201)

    async def plan(self, request: Request) -> Response:
        """What would happen, without doing it."""
        body = await _json(request)
        answer = await run_in_threadpool(self._service.plan, body)
        kind = "plan" if isinstance(answer, Plan) else "diagnosis"
        return JSONResponse({kind: answer.to_json()})

    async def check(self, request: Request) -> Response:
        """Read a job file, as it would be if it were submitted."""
        body = await _json(request)
        return JSONResponse({"jobs": await run_in_threadpool(check_job_file, body)})

    async def jobs(self, request: Request) -> Response:
        """The newest jobs, those at work first."""
        asked = Listing.of(request.query_params)
        answer = await run_in_threadpool(self._service.jobs, asked)
        return JSONResponse(answer)

    async def tasks(self, request: Request) -> Response:
        """Tasks of an array."""
        key, asked = _key(request), Listing.of(request.query_params, every=True)
        offset = whole(request.query_params, "offset", 0)
        answer = await run_in_threadpool(self._service.tasks, key, asked, offset)
        return JSONResponse(answer)

    async def job(self, request: Request) -> Response:
        """One job; with `after` and `wait`, when it is newer than that version."""
        key, query = _key(request), request.query_params
        after = number(query, "after", -1.0)
        wait_s = min(number(query, "wait", 0.0), MAX_WAIT_S)
        event = self._changes.listen(key)
        try:
            until = asyncio.get_running_loop().time() + wait_s
            view = await run_in_threadpool(self._service.job, key)
            while view["version"] <= after and await _wait(event, until):
                view = await run_in_threadpool(self._service.job, key)
        finally:
            self._changes.forget(key, event)
        return JSONResponse({"job": view})

    async def story(self, request: Request) -> Response:
        """What happened to a job."""
        events = await run_in_threadpool(self._service.story, _key(request))
        return JSONResponse({"events": events})

    async def logs(self, request: Request) -> Response:
        """Which logs a job has."""
        logs = await run_in_threadpool(self._service.logs.listed, _key(request))
        return JSONResponse({"logs": logs})

    async def log(self, request: Request) -> Response:
        """A part of a log; with `wait`, as soon as there is something."""
        key, asked = _key(request), log_part(request)
        deadline = min(number(request.query_params, "wait", 0.0), MAX_WAIT_S)
        until = asyncio.get_running_loop().time() + deadline
        piece = await run_in_threadpool(self._service.logs.read, key, asked)
        while not (piece.data or piece.ended):
            if asyncio.get_running_loop().time() >= until:
                break
            # Whoever writes a log tells nobody: its size is looked at.
            await asyncio.sleep(LOG_POLL_S)
            asked = replace(asked, offset=piece.offset, tail=None, since_s=None)
            piece = await run_in_threadpool(self._service.logs.read, key, asked)
        headers = {
            "Orch-Offset": str(piece.offset),
            "Orch-Next": str(piece.offset + len(piece.data)),
            "Orch-Ended": "1" if piece.ended else "0",
        }
        return Response(piece.data, 200, headers, "application/octet-stream")

    async def cancel(self, request: Request) -> Response:
        """Ask a job to end."""
        key, wish = _key(request), cancel_wish(await _json(request))
        view = await run_in_threadpool(self._service.cancel, key, wish)
        return JSONResponse({"job": view})

    async def retry(self, request: Request) -> Response:
        """Give a job another attempt."""
        key, mode = _key(request), retry_mode(await _json(request))
        view = await run_in_threadpool(self._service.retry, key, mode)
        return JSONResponse({"job": view})

    async def history(self, request: Request) -> Response:
        """The GPUs that jobs held."""
        since = instant(request.query_params, "since")
        usage = await run_in_threadpool(self._service.usage, since)
        return JSONResponse({"usage": usage})

    async def snapshot(self, request: Request) -> Response:
        """Whether a job's files were sent already."""
        sha256 = request.path_params["sha256"]
        if await run_in_threadpool(self._service.snapshots.has, sha256):
            return JSONResponse({})
        return _refusal(Fault(Code.FILE_NOT_FOUND, "no such snapshot"), status=404)

    async def put_snapshot(self, request: Request) -> Response:
        """Take a job's files."""
        body = await _body(request, MAX_SNAPSHOT_BYTES)
        sha256 = request.path_params["sha256"]
        await run_in_threadpool(self._service.snapshots.put, sha256, body)
        return JSONResponse({})

    async def gpus(self, _request: Request) -> Response:
        """Every GPU and what is promised on it."""
        return JSONResponse(await run_in_threadpool(self._service.gpus))

    async def shutdown(self, _request: Request) -> Response:
        """Stop deciding; `orch down` then ends the processes."""
        self._shutdown()
        return JSONResponse({})


def _guarded(handler: Handler, token: str) -> Handler:
    """Check the token, and answer every fault as JSON."""
    expected = f"Bearer {token}".encode()

    async def guarded(request: Request) -> Response:
        given = request.headers.get("authorization", "").encode()
        if not hmac.compare_digest(given, expected):
            return _refusal(Fault(Code.NOT_ALLOWED, "the token is missing or wrong"))
        try:
            return await handler(request)
        except OrchError as error:
            return _refusal(*error.faults)
        except Exception as error:  # noqa: BLE001 - never a traceback to the client
            return _refusal(Fault(Code.BUG, f"{type(error).__name__}: {error}"))

    return guarded


async def _no_such_call(request: Request, error: Exception) -> Response:
    """A path or a method that is none of ours, answered as JSON too."""
    assert isinstance(error, HTTPException)
    message = f"there is no call {request.method} {request.url.path}"
    fault = Fault(Code.BAD_VALUE, message)
    body = {"error": {"faults": [fault.to_json()]}}
    return JSONResponse(body, error.status_code, headers=error.headers)


def _refusal(*faults: Fault, status: int = 0) -> Response:
    body = {"error": {"faults": [fault.to_json() for fault in faults]}}
    return JSONResponse(body, status or _STATUS.get(faults[0].code, 400))


async def _body(request: Request, limit_bytes: int) -> bytes:
    received = bytearray()
    async for block in request.stream():
        received += block
        if len(received) > limit_bytes:
            size = format_memory(limit_bytes)
            raise OrchError.of(Code.BAD_VALUE, f"the request is larger than {size}")
    return bytes(received)


async def _json(request: Request) -> dict[str, Any]:
    received = await _body(request, MAX_BODY_BYTES)
    try:
        body = json.loads(received or b"{}")
    except (ValueError, RecursionError) as error:
        raise OrchError.of(
            Code.BAD_VALUE, f"the request is not JSON: {error}"
        ) from error
    if not isinstance(body, dict):
        raise OrchError.of(Code.BAD_VALUE, "the request is not a JSON object")
    return body


def _key(request: Request) -> JobKey:
    return JobKey.parse(request.path_params["job"])


async def _wait(event: asyncio.Event, until: float) -> bool:
    """Wait for the next change; false if there is none before that time."""
    try:
        async with asyncio.timeout_at(until):
            await event.wait()
    except TimeoutError:
        return False
    event.clear()
    return True
