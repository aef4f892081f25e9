"""A controller that follows a script: the real HTTP API, without a cluster."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from orchestrator.errors import Code, Fault
from tests.client import documents
from tests.client.fake_check import check
from tests.client.fake_lists import job_list, task_list
from tests.client.fake_logs import FakeLogs

TOKEN = "secret"
Document = dict[str, Any]


class FakeController:
    """Jobs are lists of views; each long poll moves a job one view on.

    Attributes:
        script: Views that a submitted job goes through, without id and version.
        jobs: By key, the views so far and those to come.
        requests: Method, path and body of what was asked, in order.
        queries: Path and query of what was asked, in order.
        on_cancel: What a cancel adds to a job, by `force`.
        on_retry: What a retry adds to a job, by mode.
        refuse: What POST /v1/jobs is answered with instead of 201.
        logs: The logs of all jobs.
        stories: By key, the events of a job.
        usage: What /v1/history has.
        snapshots: By hash, what was left there.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._generation = 0
        self.logs = FakeLogs(self._changed)
        self.reset()
        self._listen()

    def reset(self) -> None:
        """Forget everything, and answer the polls that wait."""
        self.script: list[Document] = [documents.job(state="RUNNING")]
        self.jobs: dict[str, list[Document]] = {}
        self.requests: list[tuple[str, str, Any]] = []
        self.queries: list[tuple[str, dict[str, str]]] = []
        self.on_cancel: Callable[[bool], list[Document]] = lambda _force: [
            documents.job(state="CANCELLED")
        ]
        self.on_retry: Callable[[str], list[Document]] = lambda _mode: [
            documents.job(state="PENDING", attempt=2)
        ]
        self.refuse: Document | None = None
        self.plan: Document = {"plan": documents.plan(0, 1).to_json()}
        self.gpus: Document = documents.gpus((documents.gpu(0),))
        self.stories: dict[str, list[Document]] = {}
        self.usage: list[Document] = []
        self.snapshots: dict[str, bytes] = {}
        self._at: dict[str, int] = {}
        with self._changed:
            self._generation += 1
            self._changed.notify_all()
        self.logs.reset()

    def write_address(self, folder: Path) -> None:
        """Be the controller of a state folder."""
        folder.mkdir(parents=True, exist_ok=True)
        started = {"url": self.url, "pid": os.getpid(), "started_at": "now"}
        (folder / "controller.json").write_text(json.dumps(started))
        (folder / "token").write_text(TOKEN)

    def add(self, key: int | str, *views: Document) -> None:
        """Put views at the end of a job's script."""
        number, _dot, task = str(key).partition(".")
        with self._changed:
            job = self.jobs.setdefault(str(key), [])
            for view in views:
                named = {
                    "id": int(number),
                    "task": int(task) if task else None,
                    "key": str(key),
                    "version": len(job) + 1,
                }
                job.append({**view, **named})
            self._at.setdefault(str(key), 0)
            self._changed.notify_all()

    def asked(self, path: str) -> list[Any]:
        """Bodies of the requests to one path."""
        with self._changed:
            return [body for _method, at, body in self.requests if at == path]

    def wait_asked(self, path: str) -> None:
        """Return once `path` has been asked for."""
        with self._changed:
            assert self._changed.wait_for(
                lambda: any(at == path for _m, at, _b in self.requests), 20
            )

    def close(self) -> None:
        """Stop listening."""
        self.reset()
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()

    def serve_forever(self) -> None:
        """Return when the server does."""
        self._thread.join()

    def _listen(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        routes = [
            Route("/v1/health", self._health),
            Route("/v1/jobs", self._submit, methods=["POST"]),
            Route("/v1/jobs", self._list),
            Route("/v1/jobs/{key}", self._job),
            Route("/v1/jobs/{key}/tasks", self._tasks),
            Route("/v1/jobs/{key}/story", self._story),
            Route("/v1/jobs/{key}/logs", self.logs.files),
            Route("/v1/jobs/{key}/logs/{rank:int}", self.logs.piece),
            Route("/v1/jobs/{key}/cancel", self._cancel, methods=["POST"]),
            Route("/v1/jobs/{key}/retry", self._retry, methods=["POST"]),
            Route("/v1/check", check, methods=["POST"]),
            Route("/v1/plan", lambda _: JSONResponse(self.plan), methods=["POST"]),
            Route("/v1/gpus", lambda _: JSONResponse(self.gpus)),
            Route("/v1/history", lambda _: JSONResponse({"usage": self.usage})),
            Route("/v1/snapshots/{sha}", self._put_snapshot, methods=["PUT"]),
            Route("/v1/snapshots/{sha}", self._snapshot),
        ]
        app = Starlette(routes=[*map(self._checked, routes)])
        config = uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, args=([self._socket],), daemon=True
        )
        self._thread.start()

    def _checked(self, route: Route) -> Route:
        async def answer(request: Request) -> Response:
            body = await request.body()
            if request.headers.get("authorization") != f"Bearer {TOKEN}":
                return Response(status_code=401)
            is_json = body and request.method == "POST"
            asked = json.loads(body) if is_json else body or None
            with self._changed:
                self.requests.append((request.method, request.url.path, asked))
                self.queries.append((request.url.path, dict(request.query_params)))
                self._changed.notify_all()
            request.state.body = asked
            return await run_in_threadpool(route.endpoint, request)

        methods = sorted(route.methods or ()) or None
        return Route(route.path, answer, methods=methods)

    def _health(self, _request: Request) -> Response:
        return JSONResponse({**documents.HEALTH, "pid": os.getpid()})

    def _submit(self, _request: Request) -> Response:
        if self.refuse is not None:
            return JSONResponse(self.refuse, status_code=409)
        numbers = (int(key) for key in self.jobs if "." not in key)
        job_id = max(numbers, default=41) + 1
        self.add(job_id, *self.script)
        return JSONResponse({"job": self.jobs[str(job_id)][0]}, status_code=201)

    def _list(self, request: Request) -> Response:
        return JSONResponse(job_list(self._now(), dict(request.query_params)))

    def _tasks(self, request: Request) -> Response:
        number = int(request.path_params["key"])
        return JSONResponse(task_list(self._now(), number, dict(request.query_params)))

    def _now(self) -> list[Document]:
        return [views[self._at[key]] for key, views in self.jobs.items()]

    def _job(self, request: Request) -> Response:
        key = request.path_params["key"]
        if key not in self.jobs:
            return _no_such_job(key)
        after, wait = (request.query_params.get(name) for name in ("after", "wait"))
        if after is not None:
            self._move_on(key, int(after), float(wait or 0))
        if key not in self.jobs:
            return Response(status_code=410)
        return JSONResponse({"job": self.jobs[key][self._at[key]]})

    def _move_on(self, key: str, after: int, wait_s: float) -> None:
        views, generation = self.jobs[key], self._generation
        with self._changed:
            self._changed.wait_for(
                lambda: self._generation != generation or len(views) > after, wait_s
            )
            if self._generation == generation:
                self._at[key] = min(after, len(views) - 1)

    def _cancel(self, request: Request) -> Response:
        key = request.path_params["key"]
        if self.jobs[key][-1]["finished_at"] is None:
            self._go_on(key, self.on_cancel(request.state.body["force"]))
        return JSONResponse({"job": self.jobs[key][self._at[key]]})

    def _retry(self, request: Request) -> Response:
        key = request.path_params["key"]
        if self.jobs[key][self._at[key]]["finished_at"] is None:
            fault = Fault(Code.WRONG_STATE, f"job {key} has not ended")
            return JSONResponse(documents.faults(fault), status_code=409)
        self._go_on(key, self.on_retry(request.state.body["mode"]))
        return JSONResponse({"job": self.jobs[key][self._at[key]]})

    def _go_on(self, key: str, views: list[Document]) -> None:
        """Views that come now: the first of them at once."""
        first = len(self.jobs[key])
        self.add(key, *views)
        self._at[key] = first

    def _story(self, request: Request) -> Response:
        key = request.path_params["key"]
        if key not in self.jobs:
            return _no_such_job(key)
        return JSONResponse({"events": self.stories.get(key, [])})

    def _put_snapshot(self, request: Request) -> Response:
        self.snapshots[request.path_params["sha"]] = request.state.body
        return JSONResponse({})

    def _snapshot(self, request: Request) -> Response:
        if request.path_params["sha"] in self.snapshots:
            return JSONResponse({})
        fault = Fault(Code.FILE_NOT_FOUND, "no such snapshot")
        return JSONResponse(documents.faults(fault), status_code=404)


def _no_such_job(key: str) -> Response:
    fault = Fault(Code.NO_SUCH_JOB, f"there is no job {key}")
    return JSONResponse(documents.faults(fault), status_code=404)
