"""Job files as they are written, checked for a client that has not the means loaded."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orchestrator.controller.requests import check_text
from orchestrator.errors import Code, OrchError
from orchestrator.spec.load import load_jobs_text
from orchestrator.spec.order import order_jobs


def check_job_file(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The jobs of a file as JSON, each after those it names: POST /v1/check.

    Raises:
        OrchError: E2xx, every mistake in it; E203, the body is no such request.
    """
    text, name, folder = (body.get(key) for key in ("text", "name", "folder"))
    changes = body.get("overrides")
    texts = [text, name, folder, *(changes if isinstance(changes, list) else [None])]
    if not all(isinstance(part, str) for part in texts) or "\0" in f"{name}{folder}":
        raise OrchError.of(Code.BAD_VALUE, "the request is not understood")
    check_text(texts)
    loaded = load_jobs_text(
        str(text), str(name), folder=Path(str(folder)), overrides=texts[3:]
    )
    return [one.job.model_dump(mode="json") for one in order_jobs(loaded)]
