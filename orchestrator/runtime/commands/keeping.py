"""The agent's side of commands: its keeper, and what it knows of each command."""

from __future__ import annotations

import json
import secrets
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias

from orchestrator.lifecycle.key import JobKey
from orchestrator.runtime.commands.claims import claim
from orchestrator.runtime.commands.environment import MARK, command_environment
from orchestrator.runtime.commands.marks import end_marked
from orchestrator.runtime.commands.shim import EXIT, never_started
from orchestrator.runtime.commands.spec import (
    CommandEnd,
    CommandNews,
    CommandRunning,
    CommandSpec,
)
from orchestrator.runtime.commands.wire import Wire

START_WAIT_S = 1.0
"""How long a start waits for the pid; unpacking the code can take longer."""

Attempt: TypeAlias = tuple[JobKey, int]


class Commands:
    """All commands of a node. Any thread may call it."""

    def __init__(self, node_id: str, state: Path, log: Path) -> None:
        """End what an earlier agent of this node has left; start nothing yet.

        Args:
            node_id: Ray's id of the node; the mark of its commands.
            state: The node's state folder.
            log: Where a keeper's own errors go.
        """
        self._node_id = node_id
        self._state = state
        self._log = log
        self._life = secrets.token_hex(8)
        self._changed = threading.Condition()
        self._starting = threading.Lock()
        # A watcher of an earlier life must not find its version here.
        self._version = secrets.randbelow(1 << 40)
        self._running: dict[Attempt, CommandRunning] = {}
        self._ended: dict[Attempt, CommandEnd] = {}
        self._folders: dict[Attempt, Path] = {}
        self._awaited: set[Attempt] = set()
        """Those whose start waits for the pid."""
        self._keeper: _Keeper | None = None
        end_marked(MARK, node_id)

    def start(self, spec: CommandSpec, snapshot: Path | None) -> int:
        """Start a command, once; its pid, or 0 if that is not known within a second.

        Raises:
            OSError: The node has no room for a keeper's process.
        """
        attempt = (spec.key, spec.attempt)
        with self._starting:
            self._start(attempt, spec, snapshot)
        with self._changed:
            self._changed.wait_for(lambda: self._has_pid(attempt), START_WAIT_S)
            self._awaited.discard(attempt)
            running = self._running.get(attempt)
            return running.pid if running else 0

    def signal(self, attempt: Attempt, signum: int) -> bool:
        """Signal a command's process group; false if it does not run."""
        with self._changed:
            keeper = self._keeper
            if keeper is None or attempt not in self._running:
                return False
        with suppress(OSError):
            keeper.wire.send({"id": _id(attempt), "signal": signum})
            return True
        return False

    def watch(self, after: int, timeout_s: float) -> CommandNews:
        """All there is to know, as soon as its version is not `after`."""
        with self._changed:
            self._changed.wait_for(lambda: self._version != after, timeout_s)
            running = tuple(self._running.values())
            ended = tuple(self._ended.values())
            return CommandNews(self._life, self._version, running, ended)

    def forget(self, attempts: Sequence[Attempt]) -> None:
        """Drop those of them that have ended."""
        with self._changed:
            for attempt in attempts:
                self._ended.pop(attempt, None)

    def close(self) -> None:
        """Let the keeper go, and with it all that runs."""
        with self._starting:
            if self._keeper is not None:
                self._keeper.end()

    # --- starting -----------------------------------------------------------------

    def _start(
        self, attempt: Attempt, spec: CommandSpec, snapshot: Path | None
    ) -> None:
        folder = self._state / spec.folder
        keeper = self._living_keeper()
        with self._changed:
            if attempt in self._running or attempt in self._ended:
                return
            before = _end_before(attempt, spec.run, folder)
            if before is not None:
                self._ended[attempt] = before
                self._tell()
                return
            self._running[attempt] = CommandRunning(*attempt, pid=0)
            self._awaited.add(attempt)
            self._folders[attempt] = folder
        order = {
            "id": _id(attempt),
            "argv": list(spec.argv),
            "env": command_environment(spec, self._node_id),
            "redact": list(spec.redact),
            "folder": str(folder),
            "snapshot": str(snapshot) if snapshot else None,
            "cwd": spec.cwd,
        }
        # One that died meanwhile takes this command with it: it is told as lost.
        with suppress(OSError):
            keeper.wire.send(order)

    def _living_keeper(self) -> _Keeper:
        if self._keeper is None:
            self._keeper = _Keeper(self._log)
            threading.Thread(
                target=self._listen, args=(self._keeper,), daemon=True
            ).start()
        return self._keeper

    # --- hearing of them ----------------------------------------------------------

    def _listen(self, keeper: _Keeper) -> None:
        while (messages := keeper.wire.receive()) is not None:
            with self._changed:
                for message in messages:
                    self._version += self._hear(message)
                self._changed.notify_all()
        # No other keeper starts, and no command, before what this one had is gone.
        with self._starting:
            keeper.end()
            keeper.wire.close()
            end_marked(MARK, self._node_id)
            with self._changed:
                self._keeper = None
                for attempt in list(self._running):
                    self._end(attempt, None)
                self._tell()

    def _hear(self, message: dict[str, Any]) -> bool:
        """Take in what a shim says; whether it is news for watchers."""
        attempt = _attempt(message["id"])
        if "pid" in message:
            running = CommandRunning(*attempt, pid=message["pid"])
            self._running[attempt] = running
            # Who started it waits for its pid, and is told it.
            return attempt not in self._awaited
        self._end(attempt, message["end"])
        return True

    def _end(self, attempt: Attempt, end: dict[str, Any] | None) -> None:
        del self._running[attempt]
        folder = self._folders.pop(attempt)
        if end is not None:
            self._ended[attempt] = CommandEnd(*attempt, **end)
            return
        # It may have ended, and written so, before it could be told.
        self._ended[attempt] = _read_end(attempt, folder) or _lost(attempt)

    def _has_pid(self, attempt: Attempt) -> bool:
        running = self._running.get(attempt)
        return running is None or running.pid != 0

    def _tell(self) -> None:
        self._version += 1
        self._changed.notify_all()


class _Keeper:
    """A keeper's process and the wire to it."""

    def __init__(self, log: Path) -> None:
        ours, theirs = socket.socketpair()
        script = Path(__file__).with_name("start.py")
        with theirs, log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(script)],
                stdin=theirs.fileno(),
                stdout=output,
                stderr=output,
                # Signals to the agent's group are not for the commands.
                start_new_session=True,
            )
        self.wire = Wire(ours)

    def end(self) -> None:
        """Hang up, and wait until it and all it held are gone."""
        with suppress(OSError):
            self.wire.hang_up()
        self._process.wait()


def _id(attempt: Attempt) -> str:
    return f"{attempt[0]}/{attempt[1]}"


def _attempt(text: str) -> Attempt:
    key, _, number = text.partition("/")
    return JobKey.parse(key), int(number)


def _lost(attempt: Attempt) -> CommandEnd:
    return CommandEnd(*attempt, None, None, 0.0, 0.0)


def _end_before(attempt: Attempt, run: str, folder: Path) -> CommandEnd | None:
    """How an attempt has ended that must not be started (again)."""
    try:
        if run:
            claim(folder.parent, run)
    except OSError as error:
        return CommandEnd(*attempt, **never_started(error))
    if not folder.exists():
        return None
    # It was begun under an earlier agent. If that one was killed before it ended, so
    # was the command: never is an attempt started twice.
    return _read_end(attempt, folder) or _lost(attempt)


def _read_end(attempt: Attempt, folder: Path) -> CommandEnd | None:
    with suppress(OSError, ValueError, TypeError):
        return CommandEnd(*attempt, **json.loads((folder / EXIT).read_text()))
    return None
