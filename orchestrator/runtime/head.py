"""Ray's own processes on this machine: started by us, known by pid, stopped by pid.

`ray stop` is never used: it ends every Ray on the host, other people's included.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from orchestrator.errors import Code, OrchError
from orchestrator.runtime.devices import usable_cores

START_TIMEOUT_S = 120.0
TOKEN_FILE = "ray_token"
HEAD_FILE = "head.json"
WORKER_FILE = "worker.json"
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Head:
    """A Ray head that we started.

    Attributes:
        pid: The process that holds all of Ray on this machine together.
        created: Its start time, so that a reused pid is not taken for it.
        address: `host:port` for other nodes and drivers.
        dashboard: URL of the dashboard.
        temp: Ray's folder for this cluster.
    """

    pid: int
    created: float
    address: str
    dashboard: str
    temp: str

    def alive(self) -> bool:
        """Whether it still runs."""
        process = self._process()
        return process is not None and process.status() != psutil.STATUS_ZOMBIE

    def stop(self, timeout_s: float = 15.0) -> None:
        """End it and all that belongs to it; returns when they are gone."""
        process = self._process()
        if process is None:
            return
        family = [process, *process.children(recursive=True)]
        with suppress(psutil.Error):
            process.send_signal(signal.SIGTERM)
        _gone, alive = psutil.wait_procs(family, timeout=timeout_s)
        for left in alive:
            with suppress(psutil.Error):
                left.kill()
        psutil.wait_procs(alive, timeout=5)

    def _process(self) -> psutil.Process | None:
        with suppress(psutil.Error):
            process = psutil.Process(self.pid)
            if abs(process.create_time() - self.created) < 1:
                return process
        return None


def ray_environment(token: Path) -> dict[str, str]:
    """The environment of everything of Ray's that we start or connect with."""
    return {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(token),
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
        "RAY_DEDUP_LOGS": "0",
        # Ray's own 15 would let any program of the machine hold up controller and jobs.
        "RAY_worker_niceness": "0",
        # A dead node is noticed after three seconds, not after a minute.
        "RAY_health_check_period_ms": "1000",
        "RAY_health_check_timeout_ms": "1000",
        "RAY_health_check_failure_threshold": "3",
        # Told to stop, a node would wait 30 seconds for its actors to leave.
        "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": "0",
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
        # By default an actor without a GPU sees all of them (Ray 2.60).
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "1",
    }


def make_token(path: Path) -> str:
    """The secret in this file, made first (0600) if it is not there; E303 if empty."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        with os.fdopen(os.open(path, flags, 0o600), "w") as file:
            file.write(secrets.token_hex(32))
    token = path.read_text().strip()
    if not token:
        # A start cut short left it; an empty secret would let anybody in.
        raise OrchError.of(Code.NOT_ALLOWED, f"'{path}' is empty; remove it")
    return token


def start_head(state: Path, ip: str = LOOPBACK, port: int = 0) -> Head:
    """Start Ray's head on this machine and wait until it serves.

    Args:
        state: Folder of the token, the log, and of `head.json`.
        ip: Address at which other nodes reach this machine.
        port: Of Ray; 0 takes 6379, or a free one if that is taken.

    Raises:
        OrchError: E302, it did not come up; with the end of its log.
    """
    make_token(state / TOKEN_FILE)
    try:
        return _start(state, ip, port or free_port(6379), free_port(8265))
    except OrchError as error:
        # Another Ray that starts just now can have taken a port that was free.
        if not any(
            "occupied" in fact or "in use" in fact for fact in error.fault.facts
        ):
            raise
        return _start(state, ip, port or free_port(0), free_port(0))


def _start(state: Path, ip: str, port: int, dashboard_port: int) -> Head:
    token = state / TOKEN_FILE
    temp = Path(tempfile.mkdtemp(prefix="orch-ray-"))
    command = [
        *(sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block"),
        f"--node-ip-address={ip}",
        f"--port={port}",
        f"--temp-dir={temp}",
        f"--num-cpus={usable_cores()}",
        "--include-dashboard=true",
        "--dashboard-host=127.0.0.1",
        f"--dashboard-port={dashboard_port}",
        # Ray's default port for its client is one that other Rays share unasked.
        f"--ray-client-server-port={free_port(0)}",
        "--disable-usage-stats",
    ]
    log = state / "logs" / "ray-head.log"
    # What its processes leave in the temporary folder goes with it.
    process = spawn(command, log, {**ray_environment(token), "TMPDIR": str(temp)})
    # Ray writes this file once it serves.
    address = wait_for_text(process, temp / "ray_current_cluster", ":", log)
    head = Head(
        process.pid,
        psutil.Process(process.pid).create_time(),
        address,
        f"http://127.0.0.1:{dashboard_port}",
        str(temp),
    )
    (state / HEAD_FILE).write_text(json.dumps(asdict(head)))
    return head


def start_worker(folder: Path, token: Path, address: str, ip: str) -> Head:
    """Start Ray on this machine as a worker of the head at `address`.

    Raises:
        OrchError: E302, it did not join; with the end of its log.
    """
    command = [
        *(sys.executable, "-m", "ray.scripts.scripts", "start", "--block"),
        f"--address={address}",
        f"--node-ip-address={ip}",
        f"--num-cpus={usable_cores()}",
        "--disable-usage-stats",
    ]
    log = folder / "logs" / "ray-worker.log"
    log.unlink(missing_ok=True)
    # The node's agent keeps the files of its jobs there.
    extra = {**ray_environment(token), "ORCH_STATE_DIR": str(folder)}
    process = spawn(command, log, extra)
    wait_for_text(process, log, "Ray runtime started", log)
    created = psutil.Process(process.pid).create_time()
    worker = Head(process.pid, created, address, "", "")
    (folder / WORKER_FILE).write_text(json.dumps(asdict(worker)))
    return worker


def read_head(state: Path, name: str = HEAD_FILE) -> Head | None:
    """The Ray that was started from this state folder, if it still runs."""
    try:
        head = Head(**json.loads((state / name).read_text()))
    except (OSError, ValueError, TypeError):
        return None
    return head if head.alive() else None


def spawn(
    command: list[str], log: Path, extra: dict[str, str]
) -> subprocess.Popen[bytes]:
    """Start a process that outlives us, its output in a log."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as file:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
            env={**os.environ, **extra},
        )


def wait_for_text(
    process: subprocess.Popen[bytes], file: Path, text: str, log: Path
) -> str:
    """What stands in `file` once `text` does, unless the process ends first.

    Raises:
        OrchError: E302, it ended or took too long; with the end of its log.
    """
    for _ in range(int(START_TIMEOUT_S / 0.05)):
        if file.exists() and text in (found := file.read_text(errors="replace")):
            return found.strip()
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.05)
            break
    _kill_family(process)
    tail = tuple(log.read_text(errors="replace").splitlines()[-8:])
    raise OrchError.of(
        Code.CONTROLLER_UNREACHABLE,
        "Ray did not start on this machine",
        facts=(f"log: {log}", *tail),
        fix="read the log; `orch down` clears what an earlier start left",
    )


def _kill_family(process: subprocess.Popen[bytes]) -> None:
    with suppress(psutil.NoSuchProcess):
        for child in psutil.Process(process.pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                child.kill()
    process.kill()


def free_port(preferred: int) -> int:
    """This port of the loopback, or any free one if it is taken."""
    for port in (preferred, 0):
        with closing(socket.socket()) as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return int(probe.getsockname()[1])
    raise OrchError.of(Code.CONTROLLER_UNREACHABLE, "no free port on this machine")
