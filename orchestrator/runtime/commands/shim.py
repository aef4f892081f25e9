"""One command's guard: starts it, keeps its log, ends its tree, says how it ended."""

from __future__ import annotations

import errno
import json
import os
import select
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

from orchestrator.runtime.commands import tree
from orchestrator.runtime.commands.log_writer import READ_BYTES, LogWriter, open_pipe
from orchestrator.runtime.commands.unpack import ERRORS, unpack
from orchestrator.runtime.commands.wire import Wire

LOG = "rank-0.log"
EXIT = "exit.json"

_FULL = {
    errno.EAGAIN,
    errno.EDQUOT,
    errno.EMFILE,
    errno.ENFILE,
    errno.ENOMEM,
    errno.ENOSPC,
}
"""The node has no room now; nothing is wrong with the command."""


@dataclass(frozen=True)
class Order:
    """What the keeper tells a shim to run, as it comes over the wire.

    Attributes:
        id: The command's key and attempt, as the agent writes them.
        folder: The attempt's folder.
        snapshot: A `.tar.gz` on this node, or `None`.
        env: All of the command's environment.
    """

    id: str
    argv: list[str]
    env: dict[str, str]
    redact: list[str]
    folder: str
    snapshot: str | None
    cwd: str


def guard(order: Order, keeper_pid: int, keeper: Wire) -> NoReturn:
    """A shim's whole life, in a fork of the keeper."""
    code = 1
    try:
        os.setsid()
        tree.die_with(keeper_pid)
        tree.adopt_orphans()
        _Shim(order, keeper_pid, keeper).run()
        code = 0
    except Exception:  # noqa: BLE001 - a bug of ours, for the keeper's log
        sys.excepthook(*sys.exc_info())
    finally:
        # Never run the keeper's exit handlers in a child.
        os._exit(code)


def never_started(error: Exception) -> dict[str, Any]:
    """The end of a command for which there is no folder or no process."""
    return {**_end(error=f"{type(error).__name__}: {error}"), "full": _is_full(error)}


def _is_full(error: Exception) -> bool:
    return isinstance(error, OSError) and error.errno in _FULL


class _KeeperGoneError(Exception):
    """Nobody wants the command any more."""


class _Shim:
    def __init__(self, order: Order, keeper_pid: int, keeper: Wire) -> None:
        self._order = order
        self._keeper_pid = keeper_pid
        self._keeper = keeper
        self._deaths = tree.Deaths()
        self._folder = Path(order.folder)
        self._child = 0
        self._signalled: int | None = None
        """A signal that came before there was a process to give it to."""

    def run(self) -> None:
        started_at = _now()
        try:
            ended = self._run()
        except _KeeperGoneError:
            tree.end_children(self._deaths)
            return
        except ERRORS as error:
            ended = never_started(error)
        end = {**ended, "started_at": started_at}
        # On disk before it is told: what was told is never run again.
        with suppress(OSError):
            _write_whole(self._folder / EXIT, json.dumps(end).encode())
        with suppress(OSError):
            self._keeper.send({"id": self._order.id, "end": end})

    def _run(self) -> dict[str, Any]:
        workdir = self._folder.parent / "workdir"
        unpack(self._order.snapshot, workdir)
        log = LogWriter(self._folder / LOG, tuple(self._order.redact))
        try:
            # From here on it has to end a tree before it goes.
            tree.outlive_parent()
            if os.getppid() != self._keeper_pid:
                raise _KeeperGoneError
            if select.select([self._keeper], [], [], 0)[0]:
                self._listen()
            if self._signalled is not None:
                return _end(signalled=self._signalled)
            # For whoever comes after us: this attempt was begun.
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            return self._start_and_wait(log, workdir / self._order.cwd)
        finally:
            log.close()

    def _start_and_wait(self, log: LogWriter, cwd: Path) -> dict[str, Any]:
        output, theirs = open_pipe()
        try:
            os.chdir(cwd)
            self._child = _spawn(self._order, theirs)
        except (OSError, ValueError) as error:
            if _is_full(error):
                raise
            log.write(f"orch: {self._order.argv[0]}: {error}\n".encode())
            return _end(exit_code=127 if isinstance(error, FileNotFoundError) else 126)
        os.close(theirs)
        os.set_blocking(output, False)
        with suppress(OSError):
            self._keeper.send({"id": self._order.id, "pid": self._child})
        status = self._wait(output, log)
        tree.end_children(self._deaths)
        # Its writers are dead: what they wrote is in the pipe, and no more comes.
        while data := _read(output):
            log.write(data)
        code = os.waitstatus_to_exitcode(status)
        if code < 0 and self._keeper.ended():
            raise _KeeperGoneError  # Killed perhaps by who cleans up after an agent.
        return _end(exit_code=code) if code >= 0 else _end(signalled=-code)

    def _wait(self, output: int, log: LogWriter) -> int:
        """Pass on output and signals until the child ends; its status."""
        poll = select.poll()
        for source in (self._keeper, self._deaths, output):
            poll.register(source, select.POLLIN)
        while True:
            ready = {source for source, _ in poll.poll()}
            if output in ready and _pump(output, log) == b"":
                poll.unregister(output)
            if self._deaths.fileno() in ready:  # Also if the keeper is gone: kept yet.
                self._deaths.clear()
                pid, status = os.waitpid(self._child, os.WNOHANG)
                if pid:
                    return status
            if self._keeper.fileno() in ready:
                self._listen()

    def _listen(self) -> None:
        messages = self._keeper.receive()
        if messages is None:
            raise _KeeperGoneError
        for message in messages:
            self._signal(int(message["signal"]))

    def _signal(self, signum: int) -> None:
        if not self._child:
            self._signalled = signum
            return
        if signum == signal.SIGKILL:
            tree.kill(tree.descendants(os.getpid()))
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._child, signum)


def _spawn(order: Order, output: int) -> int:
    """Start the program, the leader of a process group; its pid."""
    # Where the program is looked for.
    os.environ["PATH"] = order.env.get("PATH", os.defpath)
    files = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_DUP2, output, 1),
        (os.POSIX_SPAWN_DUP2, output, 2),
    ]
    return os.posix_spawnp(
        order.argv[0],
        order.argv,
        order.env,
        file_actions=files,
        setpgroup=0,
        setsigmask=(),
        # Python ignores some that a program expects to die of; so does nohup.
        setsigdef=signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP},
    )


def _pump(output: int, log: LogWriter) -> bytes | None:
    data = _read(output)
    if data:
        log.write(data)
    return data


def _read(output: int) -> bytes | None:
    """What is there; empty at the end, `None` if nothing is there yet."""
    with suppress(BlockingIOError):
        return os.read(output, READ_BYTES)
    return None


def _write_whole(path: Path, data: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.new")
    file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(file, data)
        os.fsync(file)
    finally:
        os.close(file)
    new.rename(path)


def _end(
    exit_code: int | None = None, signalled: int | None = None, error: str = ""
) -> dict[str, Any]:
    now = _now()
    return {
        "exit_code": exit_code,
        "signal": signalled,
        "error": error,
        "started_at": now,
        "ended_at": now,
    }


def _now() -> float:
    return datetime.now(UTC).timestamp()
