"""The processes of one head on this machine, by what each of them is.

They are known by their environment, not by their parents: an orphan has none of ours.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass

import psutil

from tests.faults.ledger import FOLDER

_KEEPER = "runtime/commands/start.py"
_ZYGOTE = "orchestrator.engines.zygote"


@dataclass(frozen=True, slots=True)
class Process:
    """A process as it was when it was looked at."""

    pid: int
    parent: int
    words: tuple[str, ...]
    environment: dict[str, str]

    def titled(self, title: str) -> bool:
        """Whether Ray calls it so."""
        return self.words[0].startswith(title)

    def __str__(self) -> str:
        return f"{self.pid} {' '.join(self.words)[:100]}"


@dataclass(frozen=True, slots=True)
class Processes:
    """All that live and are of one head: Ray's, ours, and commands.

    Attributes:
        temp: Ray's folder, which its processes and ours have for temporary files.
    """

    every: tuple[Process, ...]
    temp: str

    def titled(self, title: str) -> list[Process]:
        """Ray's workers with this title."""
        return [each for each in self.ours() if each.titled(title)]

    def of_pids(self, pids: set[int]) -> list[Process]:
        """Those of them that live."""
        return [each for each in self.every if each.pid in pids]

    def keepers(self) -> list[Process]:
        """The process that forks the guards of a node's commands, for each node."""
        return [each for each in self._guards() if each.parent not in self._keeping()]

    def shims(self) -> list[Process]:
        """The guards of commands."""
        return [each for each in self._guards() if each.parent in self._keeping()]

    def zygotes(self) -> list[Process]:
        """Processes from which engines are forked."""
        return [each for each in self._forked() if not _leads(each.pid)]

    def engines(self) -> list[Process]:
        """Engines: forks of a zygote, each the leader of a session."""
        return [each for each in self._forked() if _leads(each.pid)]

    def commands(self, folder: str, keys: set[str] | None = None) -> list[Process]:
        """Processes of a run's commands; only of these jobs, if some are named."""
        return [
            each
            for each in self.every
            if each.environment.get(FOLDER) == folder
            and (keys is None or each.environment.get("ORCH_JOB_KEY") in keys)
        ]

    def ours(self) -> list[Process]:
        """Ray's and ours; commands are not among them."""
        return [e for e in self.every if e.environment.get("TMPDIR") == self.temp]

    def _guards(self) -> list[Process]:
        return [each for each in self.ours() if each.words[-1].endswith(_KEEPER)]

    def _keeping(self) -> set[int]:
        return {each.pid for each in self._guards()}

    def _forked(self) -> list[Process]:
        return [each for each in self.ours() if _ZYGOTE in each.words]


def look(temp: str) -> Processes:
    """Read /proc now."""
    found = (_read(each) for each in psutil.process_iter())
    return Processes(tuple(each for each in found if each is not None), temp)


def _read(process: psutil.Process) -> Process | None:
    with suppress(psutil.Error):
        words = process.cmdline()
        # One that is dead and not buried has no words.
        if words:
            return Process(process.pid, process.ppid(), tuple(words), process.environ())
    return None


def _leads(pid: int) -> bool:
    with suppress(ProcessLookupError):
        return os.getsid(pid) == pid
    return False
