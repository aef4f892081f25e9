"""The node agent: one actor a node. Reads its GPUs and holds the node's zygote."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import ray

from orchestrator.runtime.devices import read_devices
from orchestrator.scheduling.snapshot import Gpu


@dataclass(frozen=True, slots=True)
class Report:
    """What a node said of itself.

    Attributes:
        gpus: Its GPUs, read just now.
    """

    gpus: tuple[Gpu, ...]


class Agent:
    """Runs on every node, with no CPU and no GPU of Ray's."""

    def __init__(self, node_id: str, node: str) -> None:
        self._node_id = node_id
        self._node = node
        self._folder = Path(tempfile.mkdtemp(prefix="orch-agent-"))
        self._starting = threading.Lock()
        self._zygote = self._start_zygote()

    @ray.method
    def report(self) -> Report:
        """Read the node's GPUs now."""
        return Report(tuple(read_devices(self._node_id, self._node)))

    @ray.method
    def zygote(self) -> str:
        """The socket from which engines are forked; restarts a dead zygote."""
        # Two loads at once must not start two: the one forgotten removes the folder.
        with self._starting:
            if self._zygote.poll() is not None or not self._socket.exists():
                self._zygote.kill()
                self._zygote.wait()
                self._folder.mkdir(mode=0o700, exist_ok=True)
                self._zygote = self._start_zygote()
        return str(self._socket)

    @ray.method
    def pid(self) -> int:
        """The agent's process, to see whether it is alive."""
        return os.getpid()

    @property
    def _socket(self) -> Path:
        return self._folder / "zygote"

    def _start_zygote(self) -> subprocess.Popen[bytes]:
        self._socket.unlink(missing_ok=True)
        log = (self._folder / "zygote.log").open("ab")
        # Bound here, so that a replica can connect while the zygote still imports.
        with log, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            listener.bind(str(self._socket))
            listener.listen(64)
            command = [sys.executable, "-m", "orchestrator.engines.zygote"]
            command += [str(listener.fileno()), str(self._folder)]
            return subprocess.Popen(
                command,
                # Its end of this pipe closes with us: then the zygote goes too.
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                pass_fds=(listener.fileno(),),
                env=_zygote_environment(),
            )

    def __ray_shutdown__(self) -> None:
        """Let the zygote go with us when Ray ends the actor in good order."""
        # At the end of this pipe it removes its folder and goes.
        if self._zygote.stdin is not None:
            with suppress(OSError):
                self._zygote.stdin.close()


def _zygote_environment() -> dict[str, str]:
    """Ours without Ray's hiding of GPUs, and with a CUDA check that is safe to fork.

    By default `torch.cuda.is_available` initialises the driver, and a process forked
    after that cannot use CUDA. Model libraries call it when they are imported.
    """
    environment = {
        **os.environ,
        "PYTORCH_NVML_BASED_CUDA_CHECK": "1",
        # Threads that numpy starts at import would not survive the fork.
        "OPENBLAS_NUM_THREADS": "1",
        # Threads that spin while they wait steal the cores of the other replicas.
        "OMP_WAIT_POLICY": "passive",
    }
    environment.pop("CUDA_VISIBLE_DEVICES", None)
    return environment


AgentActor = ray.remote(Agent)
