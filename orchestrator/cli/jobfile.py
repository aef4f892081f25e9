"""The FILE argument of `submit`, `plan` and `validate`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from orchestrator.errors import Code, Fault, OrchError
from orchestrator.spec.load import (
    LoadedJob,
    load_job,
    load_job_text,
    load_jobs,
    load_jobs_text,
)
from orchestrator.spec.order import order_jobs

STDIN = "-"


def read_job(file: str, overrides: tuple[str, ...]) -> LoadedJob:
    """The job in `file`, or on stdin for `-`, with `overrides` applied.

    Raises:
        OrchError: E2xx, all that is wrong with it.
    """
    if file != STDIN:
        return load_job(Path(file), overrides)
    return load_job_text(_stdin_text(), "stdin", folder=Path.cwd(), overrides=overrides)


def read_jobs(
    files: Sequence[str], overrides: tuple[str, ...] = ()
) -> tuple[LoadedJob, ...]:
    """The jobs in all files; each stands after those that its `after` names.

    Raises:
        OrchError: E2xx, all that is wrong with them.
    """
    jobs: list[LoadedJob] = []
    faults: dict[Fault, None] = {}
    for file in files:
        try:
            jobs += _read_jobs(file, overrides)
        except OrchError as error:
            faults |= dict.fromkeys(error.faults)
    if faults:
        raise OrchError(tuple(faults))
    return order_jobs(jobs)


def _read_jobs(file: str, overrides: tuple[str, ...]) -> list[LoadedJob]:
    if file != STDIN:
        return load_jobs(Path(file), overrides)
    text = _stdin_text()
    return load_jobs_text(text, "stdin", folder=Path.cwd(), overrides=overrides)


def _stdin_text() -> str:
    try:
        return sys.stdin.buffer.read().decode("utf-8")
    except UnicodeDecodeError as error:
        raise OrchError.of(
            Code.UNREADABLE_YAML, "what came on stdin is not UTF-8 text"
        ) from error
