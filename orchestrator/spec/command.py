"""A job file of kind `command`: a program of yours runs, then it ends."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator

from orchestrator.spec.header import Header
from orchestrator.spec.kinds import known_kind
from orchestrator.spec.resources import CommandResources
from orchestrator.spec.values import CommandLine, Path


class CommandJob(Header):
    """A job file of kind `command`."""

    kind: Annotated[Literal["command"], BeforeValidator(known_kind)]
    run: CommandLine
    """A script for `bash -euo pipefail -c`, or a list: a program and its arguments."""
    resources: CommandResources = CommandResources()
    workdir: Path | None = "."
    """A folder whose files travel with the job; the command runs in its copy."""
