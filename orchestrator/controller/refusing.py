"""Calls that get no answer: the token, the fault, the path that is none."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from orchestrator.errors import Code, Fault, OrchError

_STATUS = {
    Code.NO_SUCH_JOB: 404,
    Code.NOT_ALLOWED: 401,
    Code.WRONG_STATE: 409,
    Code.NOT_ENOUGH_GPU_MEMORY: 409,
    Code.BUG: 500,
}

Handler = Callable[[Request], Awaitable[Response]]


def guarded(handler: Handler, token: str) -> Handler:
    """Check the token, and answer every fault as JSON."""
    expected = f"Bearer {token}".encode()

    async def checked(request: Request) -> Response:
        given = request.headers.get("authorization", "").encode()
        if not hmac.compare_digest(given, expected):
            return refusal(Fault(Code.NOT_ALLOWED, "the token is missing or wrong"))
        try:
            return await handler(request)
        except OrchError as error:
            return refusal(*error.faults)
        except Exception as error:  # noqa: BLE001 - never a traceback to the client
            return refusal(Fault(Code.BUG, f"{type(error).__name__}: {error}"))

    return checked


async def no_such_call(request: Request, error: Exception) -> Response:
    """A path or a method that is none of ours, answered as JSON too."""
    assert isinstance(error, HTTPException)
    message = f"there is no call {request.method} {request.url.path}"
    fault = Fault(Code.BAD_VALUE, message)
    body = {"error": {"faults": [fault.to_json()]}}
    return JSONResponse(body, error.status_code, headers=error.headers)


def refusal(*faults: Fault, status: int = 0) -> Response:
    """The answer that says why there is none."""
    body = {"error": {"faults": [fault.to_json() for fault in faults]}}
    return JSONResponse(body, status or _STATUS.get(faults[0].code, 400))
