"""The controller as an actor: wires store, cluster, loop and API together."""

from __future__ import annotations

import json
import os
import socket
import threading
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvicorn

from orchestrator.controller.api import Api
from orchestrator.controller.clock import now
from orchestrator.controller.core import Core
from orchestrator.controller.service import Service
from orchestrator.controller.store import Store
from orchestrator.data.files import write_atomic
from orchestrator.runtime.cluster import Cluster
from orchestrator.runtime.head import free_port, make_token, read_head
from orchestrator.runtime.metrics import Metrics
from orchestrator.version import VERSION


class Controller:
    """Runs on the head node; Ray starts it again if it dies (`max_restarts=-1`)."""

    def __init__(self, state_dir: str) -> None:
        state = Path(state_dir)
        self._state = state
        set_old_jobs_aside(state)
        core = Core(Store(state / "orch.db"), Cluster(state / "logs"), state)
        self._service = Service(core, Metrics().update)
        self._wire = _listen(state)
        api = Api(self._service, core.changes, self._health(), core.loop.stop)
        app = api.app(make_token(state / "token"))
        config = uvicorn.Config(app, log_level="warning", access_log=False)
        server = uvicorn.Server(config)
        for target, name in (
            (self._service.run, "loop"),
            (lambda: server.run(sockets=[self._wire]), "api"),
        ):
            threading.Thread(target=target, name=name, daemon=True).start()
        self._announce()

    def url(self) -> str:
        """Where the API listens."""
        host, port = self._wire.getsockname()[:2]
        return f"http://{host}:{port}"

    def _health(self) -> dict[str, Any]:
        head = read_head(self._state)
        return {
            "version": VERSION,
            "pid": os.getpid(),
            "ray_address": head.address if head else "",
            "dashboard": head.dashboard if head else "",
        }

    def _announce(self) -> None:
        found = {"url": self.url(), "pid": os.getpid(), "started_at": now()}
        write_atomic(self._state / "controller.json", (json.dumps(found).encode(),))


def set_old_jobs_aside(state: Path) -> None:
    """Keep files of jobs whose database is gone away from new jobs of their numbers."""
    jobs = state / "jobs"
    if jobs.exists() and not (state / "orch.db").exists():
        jobs.rename(state / f"jobs-before-{datetime.now(UTC):%Y%m%dT%H%M%S%f}")


def _listen(state: Path) -> socket.socket:
    """A socket on the loopback, at the earlier controller's port if that is free."""
    preferred = 0
    with suppress(OSError, ValueError, KeyError):
        before = json.loads((state / "controller.json").read_text())["url"]
        preferred = int(before.rsplit(":", 1)[1])
    # asyncio answers at once only on sockets that name TCP: else calls take 40 ms more.
    wire = socket.socket(proto=socket.IPPROTO_TCP)
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    wire.bind(("127.0.0.1", free_port(preferred)))
    return wire
