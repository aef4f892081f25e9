"""A real zygote for tests, started as the node agent starts it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

from orchestrator.engines.link import EngineLink


@dataclass(frozen=True, slots=True)
class Zygote:
    """A running zygote, and the socket from which it forks."""

    process: subprocess.Popen[bytes]
    socket: Path

    def fork(self) -> EngineLink:
        return EngineLink(self.socket)

    def engines(self) -> list[psutil.Process]:
        """Its children that live."""
        children = psutil.Process(self.process.pid).children()
        return [c for c in children if c.status() != psutil.STATUS_ZOMBIE]


@contextmanager
def zygote() -> Iterator[Zygote]:
    """Ends with its standard input, as with the agent that holds it."""
    # A socket's path must be short; pytest's folders are not.
    with TemporaryDirectory(prefix="orch-test-") as name:
        folder = Path(name)
        process = _start(folder)
        try:
            yield Zygote(process, folder / "zygote")
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(30)


def _start(folder: Path) -> subprocess.Popen[bytes]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(folder / "zygote"))
        listener.listen(8)
        command = [sys.executable, "-m", "orchestrator.engines.zygote"]
        command += [str(listener.fileno()), str(folder)]
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            pass_fds=(listener.fileno(),),
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        )
