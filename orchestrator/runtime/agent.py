"""The node agent: one actor a node. Reads its GPUs, holds its zygote and commands."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import platformdirs
import psutil
import ray

from orchestrator.errors import Code, OrchError
from orchestrator.lifecycle.key import JobKey
from orchestrator.runtime import log_files
from orchestrator.runtime.commands.keeping import Commands
from orchestrator.runtime.commands.snapshots import Snapshots
from orchestrator.runtime.commands.spec import CommandNews, CommandSpec
from orchestrator.runtime.devices import read_devices, usable_cores
from orchestrator.scheduling.snapshot import Gpu


@dataclass(frozen=True, slots=True)
class Report:
    """What a node said of itself.

    Attributes:
        gpus: Its GPUs, read just now.
        cores: CPU cores that may be used there.
        memory_bytes: All of its memory.
        available_bytes: What of it can be had now without swapping.
        folder: Its state folder, where the files of its jobs are.
    """

    gpus: tuple[Gpu, ...]
    cores: int
    memory_bytes: int
    available_bytes: int
    folder: str


class Agent:
    """Runs on every node, with no CPU and no GPU of Ray's."""

    def __init__(self, node_id: str, node: str, state: str = "") -> None:
        """Serve the node.

        Args:
            node_id: Ray's id of the node.
            node: Its name to people.
            state: The state folder; empty: this machine's own.
        """
        self._node_id = node_id
        self._node = node
        self._state = Path(state) if state else _own_state()
        self._folder = Path(tempfile.mkdtemp(prefix="orch-agent-"))
        self._starting = threading.Lock()
        self._zygote = self._start_zygote()
        log = self._folder / "keeper.log"
        self._commands = Commands(node_id, self._state, log)
        self._snapshots = Snapshots(self._state / "snapshots")

    @ray.method
    def report(self) -> Report:
        """Read the node's GPUs, cores and memory now."""
        gpus = tuple(read_devices(self._node_id, self._node))
        memory = psutil.virtual_memory()
        return Report(
            gpus, usable_cores(), memory.total, memory.available, str(self._state)
        )

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

    # --- commands -----------------------------------------------------------------

    @ray.method
    def start_command(self, spec: CommandSpec) -> int:
        """Start a command, once; its pid, or 0 if that is not known yet.

        Raises:
            OrchError: E204, its snapshot is not here: put it, and start again.
        """
        snapshot = self._snapshots.find(spec.snapshot) if spec.snapshot else None
        return self._commands.start(spec, snapshot)

    @ray.method
    def put_snapshot(self, sha256: str, code: bytes) -> None:
        """Keep a snapshot that lies on another node."""
        self._snapshots.put(sha256, code)

    @ray.method
    def signal_command(self, key: JobKey, attempt: int, signum: int) -> bool:
        """Signal a command's process group; false if it does not run."""
        return self._commands.signal((key, attempt), signum)

    @ray.method
    def watch_commands(self, after: int, timeout_s: float) -> CommandNews:
        """All commands, as soon as their version is not `after`, or so long."""
        return self._commands.watch(after, timeout_s)

    @ray.method
    def forget_commands(self, ended: Sequence[tuple[JobKey, int]]) -> None:
        """Drop commands that ended from the news."""
        self._commands.forget(ended)

    # --- logs ---------------------------------------------------------------------

    @ray.method
    def read_log(self, path: str, offset: int, limit: int) -> bytes:
        """Up to `limit` bytes of a log."""
        return log_files.read_range(self._log(path), offset, limit)

    @ray.method
    def log_size(self, path: str) -> int:
        """Bytes of a log; 0 if it is not there."""
        return log_files.size(self._log(path))

    @ray.method
    def log_tail(self, path: str, lines: int) -> int:
        """Where the last lines of a log begin."""
        return log_files.tail_offset(self._log(path), lines)

    @ray.method
    def log_since(self, path: str, epoch_s: float) -> int:
        """Where what a log was given since then begins."""
        return log_files.offset_since(self._log(path), epoch_s)

    def _log(self, path: str) -> Path:
        log = (self._state / path).resolve()
        if not log.is_relative_to(self._state.resolve()):
            raise OrchError.of(Code.NOT_ALLOWED, f"'{path}' is no log of a job")
        return log

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
        """Let commands and zygote go with us when Ray ends the actor in good order."""
        self._commands.close()
        # At the end of this pipe it removes its folder and goes.
        if self._zygote.stdin is not None:
            with suppress(OSError):
                self._zygote.stdin.close()


def _own_state() -> Path:
    """The state folder of a machine that is not the head."""
    chosen = os.environ.get("ORCH_STATE_DIR")
    return Path(chosen).absolute() if chosen else platformdirs.user_state_path("orch")


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
