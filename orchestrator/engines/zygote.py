"""A process with torch imported and CUDA untouched, from which engines are forked.

Importing torch and a model library takes seconds; a fork takes milliseconds. The
node agent starts one zygote a node and holds its standard input: when the agent is
gone, the zygote sees the end of the pipe and goes too. Engines it has forked live on,
each tied to the replica at the other end of its own socket.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import socket
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType

from orchestrator.engines.preload import preload
from orchestrator.engines.process import serve


def main() -> None:
    """Run the zygote: `python -m orchestrator.engines.zygote LISTENER_FD FOLDER`."""
    listener = socket.socket(fileno=int(sys.argv[1]))
    folder = Path(sys.argv[2])
    preload()
    signal.signal(signal.SIGCHLD, _reaper(folder))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        readable, _, _ = select.select([listener, sys.stdin], [], [])
        if sys.stdin in readable:
            # The agent is gone, and nobody else knows of this folder.
            shutil.rmtree(folder, ignore_errors=True)
            return
        client, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            _become_engine(client)
        client.close()


def _become_engine(client: socket.socket) -> None:
    """The child's whole life: its own session, its own log, then serve."""
    code = 1
    try:
        os.setsid()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        serve(Connection(client.detach()))
        code = 0
    finally:
        # Never run the zygote's exit handlers in a child.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def exit_file(folder: Path, pid: int) -> Path:
    """Where the zygote writes how an engine's process ended."""
    return folder / f"{pid}.exit"


def _reaper(folder: Path) -> Callable[[int, FrameType | None], None]:
    def reap(_signum: int, _frame: FrameType | None) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            code = os.waitstatus_to_exitcode(status)
            exit_file(folder, pid).write_text(json.dumps({"code": code}))

    return reap


if __name__ == "__main__":
    main()
