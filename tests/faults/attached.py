"""`orch submit` as a person runs it: a process that follows its job to the end."""

from __future__ import annotations

import re
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path

from tests.faults.head import Head
from tests.faults.kills import Kill

START_S = 60.0
END_S = 30.0
HUNG = -1
"""For the exit code of one that goes on though its job is over."""
_SAID = re.compile(r"Job (\d+) '")


class Attached:
    """One such process."""

    def __init__(self, head: Head, job: Path) -> None:
        self._process = head.orch("submit", str(job))
        self._heard = threading.Event()
        self._number: int | None = None
        self.said: list[str] = []
        """What it wrote to its standard error."""
        self._threads = [
            threading.Thread(target=listen, daemon=True)
            for listen in (self._listen, self._process.stdout.read)  # type: ignore[union-attr]
        ]
        for thread in self._threads:
            thread.start()

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def accepted(self) -> int | None:
        """The job that it says it has submitted; `None` if it ended without."""
        self._heard.wait(START_S)
        return self._number

    def returned(self, kills: Sequence[Kill]) -> int | None:
        """What it returns, now that its job is over; `None` if it was killed."""
        try:
            code = self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = HUNG
        self.close()
        killed = any(kill.who == "cli" and kill.pid == self.pid for kill in kills)
        return None if killed else code

    def close(self) -> None:
        """Read what it has written to the end; it is over."""
        for thread in self._threads:
            thread.join(END_S)
        for pipe in (self._process.stdout, self._process.stderr):
            assert pipe is not None
            pipe.close()
        self._process.wait(END_S)

    def _listen(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self.said.append(line)
            found = _SAID.search(line)
            if found and self._number is None:
                self._number = int(found[1])
                self._heard.set()
        self._heard.set()
