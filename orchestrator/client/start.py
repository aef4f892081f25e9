"""Starting and stopping the controller, each by a program of its own.

The programs live in `orchestrator.controller`; they are run, never imported, so
that the command line stays free of Ray.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from orchestrator.client.client import Client
from orchestrator.client.program import PROGRAMS, OnLine, run_program
from orchestrator.errors import Code, OrchError

STARTING = "starting Ray and the controller on this machine (once; about 15 s)"


def connect_or_start(
    folder: Path,
    on_line: OnLine,
    options: Sequence[str] = (),
    *,
    package: str = PROGRAMS,
) -> Client:
    """A client; where there is no controller, one is started first.

    Args:
        folder: The state folder.
        on_line: Hears what is going on.
        options: Further arguments of the program that starts it.
        package: Where that program lives.

    Raises:
        OrchError: Why it could not be started.
    """
    client = connect_if_there(folder)
    if client is not None:
        return client
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _alone(folder) as lock:
        # Whoever held the lock before may have started it.
        client = connect_if_there(folder)
        if client is None:
            on_line(STARTING)
            run_program(
                "start", folder, on_line, options, inherited=(lock,), package=package
            )
    return client or Client.connect(folder)


def stop(folder: Path, on_line: OnLine, *, package: str = PROGRAMS) -> list[str]:
    """Stop the controller and its Ray, if they run; what was stopped."""
    if not folder.is_dir():
        return []
    with _alone(folder) as lock:
        said = run_program("stop", folder, on_line, inherited=(lock,), package=package)
    return said.splitlines()


def plan_alone(
    folder: Path, body: dict[str, Any], on_line: OnLine, *, package: str = PROGRAMS
) -> dict[str, Any]:
    """What /v1/plan would answer if a controller ran on this machine alone."""
    said = run_program("plan", folder, on_line, stdin=json.dumps(body), package=package)
    answer: dict[str, Any] = json.loads(said.splitlines()[-1])
    return answer


def connect_if_there(folder: Path) -> Client | None:
    """A client, if there is a controller that answers; `None`: there is none.

    Raises:
        OrchError: E303, its token may not be read.
    """
    try:
        return Client.connect(folder)
    except OrchError as error:
        if error.fault.code is Code.CONTROLLER_UNREACHABLE:
            return None
        raise


@contextmanager
def _alone(folder: Path) -> Iterator[int]:
    """Hold the folder's start lock; programs that inherit it hold it too."""
    with (folder / "start.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file.fileno()
