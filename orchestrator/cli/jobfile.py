"""The FILE argument of `submit` and `plan`, and the options that change it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from orchestrator.client.request import job_request
from orchestrator.errors import Code, OrchError
from orchestrator.spec.load import LoadedJob, load_job, load_job_text

STDIN = "-"


def read_job(file: str, overrides: tuple[str, ...]) -> LoadedJob:
    """The job in `file`, or on stdin for `-`, with `overrides` applied.

    Raises:
        OrchError: E2xx, all that is wrong with it.
    """
    if file != STDIN:
        return load_job(Path(file), overrides)
    return load_job_text(_stdin_text(), "stdin", folder=Path.cwd(), overrides=overrides)


def _stdin_text() -> str:
    try:
        return sys.stdin.buffer.read().decode("utf-8")
    except UnicodeDecodeError as error:
        raise OrchError.of(
            Code.UNREADABLE_YAML, "what came on stdin is not UTF-8 text"
        ) from error


def overrides_of(
    settings: tuple[str, ...], name: str | None, output: str | None
) -> tuple[str, ...]:
    """`--set`, `--name` and `--output` as one list of `path=value`."""
    more = [] if name is None else [f"name={json.dumps(name)}"]
    if output is not None:
        more.append(f"output.path={json.dumps(output)}")
    return (*settings, *more)


def request_of(loaded: LoadedJob) -> dict[str, Any]:
    """The body that asks the controller for this job."""
    return job_request(
        loaded.job,
        path=str(loaded.path),
        folder=loaded.folder.absolute(),
        text=loaded.text,
    )


def headline(loaded: LoadedJob, output: str = "") -> str:
    """`embed.yaml  batch  all-MiniLM-L6-v2  → ./out/42`.

    Args:
        loaded: The job file.
        output: Where the results go; empty: as the file has it, the id still open.
    """
    job = loaded.job
    to = f"→ {output or job.output.path}"
    return "  ".join((str(loaded.path), job.kind, model_name(loaded), to))


def model_name(loaded: LoadedJob) -> str:
    """What people call the job's model."""
    return loaded.job.model.id or loaded.job.model.entry or ""
