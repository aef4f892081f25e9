"""A job file that has been read and found good."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from orchestrator.spec.job import Job


@dataclass(frozen=True, slots=True)
class LoadedJob:
    """A job and where it came from.

    Attributes:
        job: The job, with the overrides in it.
        text: The file's text, as it was read.
        path: The file, as the user named it; only a name if it came from a pipe.
        folder: Where its relative paths start.
        overrides: The `a.b=c` strings that were applied.
        position: Which of the file's documents it is, from 0; empty ones do not count.
    """

    job: Job
    text: str
    path: Path
    folder: Path
    overrides: tuple[str, ...] = ()
    position: int = 0
