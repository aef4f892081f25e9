"""One real Ray head with a controller, for all runs; what of its processes lives."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from orchestrator.client.client import Client
from orchestrator.runtime.head import Head as RayHead
from orchestrator.runtime.head import read_head
from tests.faults.processes import Processes, look

ROOT = Path(__file__).resolve().parents[2]


class Head:
    """A cluster of this machine alone, in a state folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / "state"

    @property
    def environment(self) -> dict[str, str]:
        """Of every `orch` that is run here."""
        return {**os.environ, "ORCH_STATE_DIR": str(self.state)}

    def orch(self, *words: str) -> subprocess.Popen[str]:
        """The command line, as a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "orchestrator", *words],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def orch_to_end(self, *words: str) -> int:
        """Run the command line to its end; what it returned."""
        process = self.orch(*words)
        process.communicate(timeout=120)
        return process.returncode

    def run(self, *words: str) -> None:
        """Run the command line to its end; it must not fail."""
        process = self.orch(*words)
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, out + err

    def client(self) -> Client:
        """A connection to the controller, once it answers."""
        return Client.connect(self.state)

    def processes(self) -> Processes:
        """Everything of this cluster that lives."""
        return look(self.ray.temp)

    @property
    def ray(self) -> RayHead:
        """Ray's head."""
        found = read_head(self.state)
        assert found is not None, "Ray's head is gone"
        return found

    def family(self) -> list[psutil.Process]:
        """Ray's head and every process below it."""
        head = psutil.Process(self.ray.pid)
        return [head, *head.children(recursive=True)]


@contextmanager
def running_head(folder: Path) -> Iterator[Head]:
    """A head that is up; afterwards nothing of it is left, or AssertionError."""
    head = Head(folder)
    head.run("up", "-q")
    try:
        yield head
    finally:
        family, temp = head.family(), head.ray.temp
        # Ray removes what its processes have written when it goes.
        logs = Path(temp) / "session_latest" / "logs"
        shutil.copytree(logs, folder / "ray-logs", ignore_dangling_symlinks=True)
        head.run("down")
        _gone, alive = psutil.wait_procs(family, timeout=10)
        orphans = [str(each) for each in look(temp).ours()]
        assert not alive + orphans, f"after `orch down`: {alive} {orphans}"
