"""Trees of processes on Linux: nothing below a subreaper can escape it."""

from __future__ import annotations

import ctypes
import os
import select
import signal
import time
from collections import defaultdict
from collections.abc import Iterable, Set
from contextlib import suppress
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_LIBC = ctypes.CDLL(None)

END_TIMEOUT_S = 5.0
"""How long SIGKILL may take; what is not gone then (another user's) stays."""


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends."""
    _LIBC.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def die_with(parent: int) -> None:
    """Be killed when the parent ends; ends at once if it already has."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def outlive_parent() -> None:
    """Take `die_with` back."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, 0, 0, 0, 0)


class Deaths:
    """Tells that a child of this process has ended; can be waited on with others."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda _signum, _frame: None)

    def fileno(self) -> int:
        """Readable once a child has ended."""
        return self._read

    def clear(self) -> None:
        """Forget those that were told."""
        with suppress(BlockingIOError):
            os.read(self._read, 4096)

    def wait(self, timeout_s: float) -> None:
        """Until a child ends, or so long."""
        select.select([self], [], [], timeout_s)
        self.clear()


def end_children(deaths: Deaths, keep: Set[int] = frozenset()) -> bool:
    """Kill all that is below this process, but not `keep` and what is below those.

    Returns:
        Whether all of it is gone.
    """
    deadline = time.monotonic() + END_TIMEOUT_S
    while time.monotonic() < deadline:
        if not keep and _childless():
            return True
        below = descendants(os.getpid(), keep)
        if not below:
            return True
        kill(below)
        deaths.wait(0.05)
        for pid in below:
            with suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
    return False


def kill(pids: Iterable[int]) -> None:
    """Kill those that are there and ours."""
    for pid in pids:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def descendants(pid: int, keep: Set[int] = frozenset()) -> list[int]:
    """All that is below a process now, without `keep` and what is below those."""
    children: defaultdict[int, list[int]] = defaultdict(list)
    with os.scandir("/proc") as entries:
        for entry in entries:
            if entry.name.isdecimal():
                children[_parent(entry.path)].append(int(entry.name))
    found: list[int] = []
    ahead = [pid]
    while ahead:
        below = [child for child in children[ahead.pop()] if child not in keep]
        found += below
        ahead += below
    return found


def _childless() -> bool:
    """Whether no child is left, after those that ended are reaped."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return True
    return False


def _parent(process: str) -> int:
    with suppress(OSError):
        # The name before it, in parentheses, may hold anything.
        stat = (Path(process) / "stat").read_bytes()
        return int(stat.rpartition(b")")[2].split()[1])
    return 0
