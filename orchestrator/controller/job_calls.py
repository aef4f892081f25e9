"""The calls of the HTTP API that are about jobs."""

from __future__ import annotations

import asyncio

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from orchestrator.controller.asked import (
    Listing,
    cancel_wish,
    instant,
    log_part,
    number,
    retry_mode,
    whole,
)
from orchestrator.controller.bodies import key_of, read_json
from orchestrator.controller.changes import Changes
from orchestrator.controller.service import Service

LOG_POLL_S = 0.1
MAX_WAIT_S = 30.0


class JobCalls:
    """Each hands over to a thread: the service may wait for the loop."""

    def __init__(self, service: Service, changes: Changes) -> None:
        """Answer for this service.

        Args:
            service: What answers.
            changes: Wakes calls that wait for a job.
        """
        self._service = service
        self._changes = changes

    async def submit(self, request: Request) -> Response:
        """Accept a job."""
        body = await read_json(request)
        view = await run_in_threadpool(self._service.submit, body)
        return JSONResponse({"job": view}, 201)

    async def jobs(self, request: Request) -> Response:
        """The newest jobs, those at work first."""
        asked = Listing.of(request.query_params)
        answer = await run_in_threadpool(self._service.jobs, asked)
        return JSONResponse(answer)

    async def tasks(self, request: Request) -> Response:
        """Tasks of an array."""
        key, asked = key_of(request), Listing.of(request.query_params, every=True)
        offset = whole(request.query_params, "offset", 0)
        answer = await run_in_threadpool(self._service.tasks, key, asked, offset)
        return JSONResponse(answer)

    async def job(self, request: Request) -> Response:
        """One job; with `after` and `wait`, when it is newer than that version."""
        key, query = key_of(request), request.query_params
        after = number(query, "after", -1.0)
        wait_s = min(number(query, "wait", 0.0), MAX_WAIT_S)
        event = self._changes.listen(key)
        try:
            until = asyncio.get_running_loop().time() + wait_s
            view = await run_in_threadpool(self._service.job, key)
            while view["version"] <= after and await _changed_until(event, until):
                view = await run_in_threadpool(self._service.job, key)
        finally:
            self._changes.forget(key, event)
        return JSONResponse({"job": view})

    async def story(self, request: Request) -> Response:
        """What happened to a job."""
        events = await run_in_threadpool(self._service.story, key_of(request))
        return JSONResponse({"events": events})

    async def logs(self, request: Request) -> Response:
        """Which logs a job has."""
        logs = await run_in_threadpool(self._service.logs.listed, key_of(request))
        return JSONResponse({"logs": logs})

    async def log(self, request: Request) -> Response:
        """A part of a log; with `wait`, as soon as there is something."""
        key, asked = key_of(request), log_part(request)
        deadline = min(number(request.query_params, "wait", 0.0), MAX_WAIT_S)
        until = asyncio.get_running_loop().time() + deadline
        piece = await run_in_threadpool(self._service.logs.read, key, asked)
        while not (piece.data or piece.ended):
            if asyncio.get_running_loop().time() >= until:
                break
            # Whoever writes a log tells nobody: its size is looked at.
            await asyncio.sleep(LOG_POLL_S)
            asked = piece.goes_on(asked)
            piece = await run_in_threadpool(self._service.logs.read, key, asked)
        headers = {
            "Orch-Offset": str(piece.offset),
            "Orch-Next": str(piece.offset + len(piece.data)),
            "Orch-Ended": "1" if piece.ended else "0",
            "Orch-Attempt": str(piece.attempt),
        }
        return Response(piece.data, 200, headers, "application/octet-stream")

    async def cancel(self, request: Request) -> Response:
        """Ask a job to end."""
        key, wish = key_of(request), cancel_wish(await read_json(request))
        view = await run_in_threadpool(self._service.cancel, key, wish)
        return JSONResponse({"job": view})

    async def retry(self, request: Request) -> Response:
        """Give a job another attempt."""
        key, mode = key_of(request), retry_mode(await read_json(request))
        view = await run_in_threadpool(self._service.retry, key, mode)
        return JSONResponse({"job": view})

    async def history(self, request: Request) -> Response:
        """The GPUs that jobs held."""
        since = instant(request.query_params, "since")
        usage = await run_in_threadpool(self._service.usage, since)
        return JSONResponse({"usage": usage})


async def _changed_until(event: asyncio.Event, until: float) -> bool:
    """Wait for the next change; false if there is none before that time."""
    try:
        async with asyncio.timeout_at(until):
            await event.wait()
    except TimeoutError:
        return False
    event.clear()
    return True
