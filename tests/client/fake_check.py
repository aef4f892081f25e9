"""How the fake controller checks job files: as the real one does."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from orchestrator.controller.checking import check_job_file
from orchestrator.errors import OrchError
from tests.client import documents


def check(request: Request) -> Response:
    """POST /v1/check; the body was read already."""
    try:
        return JSONResponse({"jobs": check_job_file(request.state.body)})
    except OrchError as error:
        return JSONResponse(documents.faults(*error.faults), status_code=400)
