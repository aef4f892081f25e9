"""What job files of every kind have: when a job runs, how often, and with what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field, model_validator

from orchestrator.spec.after import Dependencies
from orchestrator.spec.array_section import Array
from orchestrator.spec.durations import Backoff, BackoffRange, Duration, Limit
from orchestrator.spec.placeholders import placeholders, texts
from orchestrator.spec.resources import Resources
from orchestrator.spec.section import Section
from orchestrator.spec.suggest import did_you_mean
from orchestrator.spec.values import (
    Env,
    EnvName,
    ExitCode,
    JobName,
    OutputPath,
    Path,
    Whole,
    conflict,
)


class Timeout(Section):
    """How long it may take; left out: as long as it needs."""

    queue: Limit = None
    """From the queue to its start; then it is TIMEOUT."""
    start: Limit = None
    """Until its model is loaded."""
    run: Limit = None
    """Until it is done, from the time it has its place; loading counts."""


class Retry(Section):
    """What happens when an attempt fails."""

    max: Whole = Field(default=2, ge=0, le=100)
    """Attempts after the first."""
    on: tuple[Literal["node_lost", "worker_died", "error", "timeout"], ...] = (
        "node_lost",
        "worker_died",
    )
    """Causes that are worth another attempt."""
    exit_codes: tuple[ExitCode, ...] = ()
    """Exit codes of a command that are worth another attempt, whatever `on` says."""
    backoff: BackoffRange = Backoff(10.0, 300.0)
    """The pause before the second attempt; it doubles with each, up to the longest."""


class Destination(Section):
    """Where the results go."""

    path: OutputPath = "./out/{id}"
    """A folder; `{id}` and `{name}` are the job's. Tasks have a folder each in it."""


class Header(Section):
    """What every kind of job has."""

    version: Literal[1]
    kind: str
    name: JobName = "job"
    resources: Resources = Resources()
    priority: Whole = Field(default=0, ge=-100, le=100)
    """From -100 to 100; the higher runs first, then the older."""
    after: Dependencies = ()
    """Jobs to wait for, such as `[41, "40:any", {job: prepare, when: fail}]`."""
    timeout: Timeout = Timeout()
    retry: Retry = Retry()
    grace: Duration = 30.0
    """Between the request to stop (SIGTERM) and the end of patience (SIGKILL)."""
    env: Env = Field(default={})
    """Environment; a name without a value has the one that it has where you submit."""
    secrets: tuple[EnvName, ...] = ()
    """Names of the environment where you submit; their values are shown nowhere."""
    workdir: Path | None = None
    """A folder whose files travel with the job, as they are when it is submitted."""
    array: Array | None = None
    """Many tasks from one file: `range` or `matrix`."""
    output: Destination = Destination()

    @model_validator(mode="after")
    def _secrets_have_no_value(self) -> Header:
        for name in self.secrets:
            if self.env.get(name) is not None:
                message = "expected no value beside its name in 'secrets'"
                raise conflict(("env", name), message)
        return self

    @model_validator(mode="after")
    def _placeholders_known(self) -> Header:
        matrix = (self.array and self.array.matrix) or {}
        known = ["index", *(f"matrix.{name}" for name in matrix)] if self.array else []
        # Without an array, braces are the user's own everywhere but in a path of ours.
        section, start = (self, ()) if self.array else (self.output, ("output",))
        for loc, text in texts(section, start):
            for name in placeholders(text):
                if name not in known:
                    raise conflict(loc, _no_placeholder(name, known))
        return self


def _no_placeholder(name: str, known: Sequence[str]) -> str:
    if not known:
        return f"there is no {{{name}}} without an 'array'"
    return f"there is no {{{name}}}{did_you_mean(name, known)}"
