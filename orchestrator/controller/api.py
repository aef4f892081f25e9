"""The controller's HTTP API: JSON in, JSON out, a token on every call."""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from orchestrator.controller.core import Changes
from orchestrator.controller.service import Service
from orchestrator.errors import Code, Fault, OrchError
from orchestrator.scheduling.plan import Plan

MAX_BODY_BYTES = 32 << 20
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
                route("/v1/jobs/{job}", self.job),
                route("/v1/jobs/{job}/cancel", self.cancel, "POST"),
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
        body = await _body(request)
        view = await run_in_threadpool(self._service.submit, body)
        return JSONResponse({"job": view}, 201)

    async def plan(self, request: Request) -> Response:
        """What would happen, without doing it."""
        body = await _body(request)
        answer = await run_in_threadpool(self._service.plan, body)
        kind = "plan" if isinstance(answer, Plan) else "diagnosis"
        return JSONResponse({kind: answer.to_json()})

    async def jobs(self, request: Request) -> Response:
        """The newest jobs."""
        final = request.query_params.get("all") == "1"
        views = await run_in_threadpool(lambda: self._service.views(final=final))
        return JSONResponse({"jobs": views})

    async def job(self, request: Request) -> Response:
        """One job; with `after` and `wait`, when it is newer than that version."""
        job = _job_id(request)
        after = _number(request, "after", -1)
        wait_s = min(_number(request, "wait", 0), MAX_WAIT_S)
        event = self._changes.listen(job)
        try:
            view = await run_in_threadpool(self._service.view, job)
            if wait_s > 0 and view["version"] <= after:
                await _wait(event, wait_s)
                view = await run_in_threadpool(self._service.view, job)
        finally:
            self._changes.forget(job, event)
        return JSONResponse({"job": view})

    async def cancel(self, request: Request) -> Response:
        """Ask a job to end."""
        job = _job_id(request)
        force = (await _body(request)).get("force", False)
        if not isinstance(force, bool):
            raise OrchError.of(Code.BAD_VALUE, "'force' is neither true nor false")
        view = await run_in_threadpool(lambda: self._service.cancel(job, force=force))
        return JSONResponse({"job": view})

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


def _refusal(*faults: Fault) -> Response:
    body = {"error": {"faults": [fault.to_json() for fault in faults]}}
    return JSONResponse(body, _STATUS.get(faults[0].code, 400))


async def _body(request: Request) -> dict[str, Any]:
    received = bytearray()
    async for block in request.stream():
        received += block
        if len(received) > MAX_BODY_BYTES:
            raise OrchError.of(Code.BAD_VALUE, "the request is larger than 32 MiB")
    try:
        body = json.loads(received or b"{}")
    except (ValueError, RecursionError) as error:
        raise OrchError.of(
            Code.BAD_VALUE, f"the request is not JSON: {error}"
        ) from error
    if not isinstance(body, dict):
        raise OrchError.of(Code.BAD_VALUE, "the request is not a JSON object")
    return body


def _job_id(request: Request) -> int:
    text = request.path_params["job"]
    if not text.isdecimal() or len(text) > 15:
        raise OrchError.of(Code.NO_SUCH_JOB, f"'{text}' is not a job's number")
    return int(text)


def _number(request: Request, name: str, default: float) -> float:
    text = request.query_params.get(name)
    try:
        return default if text is None else float(text)
    except ValueError as error:
        raise OrchError.of(Code.BAD_VALUE, f"'{name}' is not a number") from error


async def _wait(event: asyncio.Event, timeout_s: float) -> None:
    try:
        async with asyncio.timeout(timeout_s):
            await event.wait()
    except TimeoutError:
        return
