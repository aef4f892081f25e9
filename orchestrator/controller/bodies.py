"""What comes with a call: its body, and the job it is about."""

from __future__ import annotations

import json
from typing import Any

from starlette.requests import Request

from orchestrator.errors import Code, OrchError
from orchestrator.lifecycle.key import JobKey
from orchestrator.units import format_memory

MAX_BODY_BYTES = 32 << 20


async def read_body(request: Request, limit_bytes: int) -> bytes:
    """The body, as it came.

    Raises:
        OrchError: E203, it is too large.
    """
    received = bytearray()
    async for block in request.stream():
        received += block
        if len(received) > limit_bytes:
            size = format_memory(limit_bytes)
            raise OrchError.of(Code.BAD_VALUE, f"the request is larger than {size}")
    return bytes(received)


async def read_json(request: Request) -> dict[str, Any]:
    """The body as a JSON object; an empty one is `{}`.

    Raises:
        OrchError: E203, it is too large, or none.
    """
    received = await read_body(request, MAX_BODY_BYTES)
    try:
        body = json.loads(received or b"{}")
    except (ValueError, RecursionError) as error:
        raise OrchError.of(
            Code.BAD_VALUE, f"the request is not JSON: {error}"
        ) from error
    if not isinstance(body, dict):
        raise OrchError.of(Code.BAD_VALUE, "the request is not a JSON object")
    return body


def key_of(request: Request) -> JobKey:
    """The job that the path names.

    Raises:
        OrchError: E301, that is no name of a job.
    """
    return JobKey.parse(request.path_params["job"])
