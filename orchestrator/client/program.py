"""Running the controller's start, stop and plan programs."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

from orchestrator.errors import Code, Fault, OrchError

OnLine = Callable[[str], None]
"""Takes a line of what a program says while it works."""

_LOG_LINE = re.compile(r"\[?\d{4}-\d\d-\d\d |\(\w+ pid=|WARNING")
"""What libraries log of themselves: kept for a failure, not for people to read."""
_LAST_WORDS_SECONDS = 1.0
_KEPT_LINES = 10


PROGRAMS = "orchestrator.controller"
"""The package that they live in."""


def run_program(
    name: str,
    folder: Path,
    on_line: OnLine,
    options: Sequence[str] = (),
    *,
    stdin: str = "",
    inherited: Sequence[int] = (),
    package: str = PROGRAMS,
) -> str:
    """Run `python -m PACKAGE.NAME` to its end.

    Args:
        name: The program's module.
        folder: The state folder.
        on_line: Hears the lines the program writes to stderr, logs left out.
        options: Further arguments.
        stdin: What it reads.
        inherited: File descriptors it keeps open, such as a lock's.
        package: Where the program lives.

    Returns:
        What it wrote to stdout.

    Raises:
        OrchError: The faults it ended with; E302 if it named none.
    """
    command = [sys.executable, "-m", f"{package}.{name}"]
    command += ["--state-dir", str(folder), *options]
    with tempfile.TemporaryFile("w+") as given, tempfile.TemporaryFile("w+") as said:
        given.write(stdin)
        given.seek(0)
        # Its own session: Ctrl-C here must not leave Ray half started.
        process = subprocess.Popen(
            command,
            stdin=given,
            stdout=said,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            pass_fds=tuple(inherited),
            start_new_session=True,
        )
        heard = _hear(process, on_line)
        said.seek(0)
        if process.returncode == 0:
            return said.read()
        raise _failure(name, process.returncode, said.read(), heard)


def _hear(process: subprocess.Popen[str], on_line: OnLine) -> list[str]:
    heard: list[str] = []
    assert process.stderr is not None

    def read(pipe: IO[str]) -> None:
        for line in pipe:
            heard.append(line.rstrip())
            if not _LOG_LINE.match(line):
                on_line(heard[-1])

    reader = threading.Thread(target=read, args=(process.stderr,), daemon=True)
    reader.start()
    process.wait()
    # What it started may hold the pipe open: its end is not the program's end.
    reader.join(_LAST_WORDS_SECONDS)
    if not reader.is_alive():
        process.stderr.close()
    return heard


def _failure(name: str, status: int, said: str, heard: list[str]) -> OrchError:
    try:
        faults = json.loads(said.strip().splitlines()[-1])["faults"]
        return OrchError(tuple(Fault.from_json(fault) for fault in faults))
    except (ValueError, KeyError, TypeError, IndexError):
        return OrchError.of(
            Code.CONTROLLER_UNREACHABLE,
            f"the controller's {name} program ended with status {status}",
            facts=tuple(heard[-_KEPT_LINES:]),
        )
