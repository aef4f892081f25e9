"""Runs one part of the benchmark as a program, with a limit and a log."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LAST_LINES = 12


class PartError(Exception):
    """A part ended with an error or ran out of time; says how its log ends."""


def run(
    command: Sequence[str], log: Path, *, env: Mapping[str, str], limit_s: float
) -> float:
    """Runs a command with the checkout on its path.

    Args:
        command: Program and arguments.
        log: Where its output goes.
        env: Variables on top of ours.
        limit_s: Seconds after which it and its children are killed.

    Returns:
        Seconds it took.

    Raises:
        PartError: It exited non-zero, or the limit was reached.
    """
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    started = time.monotonic()
    with log.open("wb") as out:
        process = subprocess.Popen(
            command,
            cwd=log.parent,
            env={**os.environ, "PYTHONPATH": path, **env},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code: int | None = process.wait(limit_s)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            _kill_group(process)
    if code != 0:
        ended = "ran out of time" if code is None else f"exited with {code}"
        tail = log.read_text(errors="replace").splitlines()[-LAST_LINES:]
        raise PartError("\n".join([f"{' '.join(command)} {ended}", *tail]))
    return time.monotonic() - started


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
