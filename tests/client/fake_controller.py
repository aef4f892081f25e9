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

TOKEN = "secret"
Document = dict[str, Any]


class FakeController:
    """Jobs are lists of views; each long poll moves a job one view on.

    Attributes:
        script: Views that a submitted job goes through, without id and version.
        jobs: By id, the views so far and those to come.
        requests: Method, path and body of what was asked, in order.
        on_cancel: What a cancel adds to a job, by `force`.
        refuse: What POST /v1/jobs is answered with instead of 201.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._generation = 0
        self.reset()
        self._listen()

    def reset(self) -> None:
        """Forget everything, and answer the polls that wait."""
        self.script: list[Document] = [documents.job(state="RUNNING")]
        self.jobs: dict[int, list[Document]] = {}
        self.requests: list[tuple[str, str, Any]] = []
        self.on_cancel: Callable[[bool], list[Document]] = lambda _force: [
            documents.job(state="CANCELLED")
        ]
        self.refuse: Document | None = None
        self.plan: Document = {"plan": documents.plan(0, 1).to_json()}
        self.gpus: Document = documents.gpus((documents.gpu(0),))
        self._at: dict[int, int] = {}
        with self._changed:
            self._generation += 1
            self._changed.notify_all()

    def write_address(self, folder: Path) -> None:
        """Be the controller of a state folder."""
        folder.mkdir(parents=True, exist_ok=True)
        started = {"url": self.url, "pid": os.getpid(), "started_at": "now"}
        (folder / "controller.json").write_text(json.dumps(started))
        (folder / "token").write_text(TOKEN)

    def add(self, job_id: int, *views: Document) -> None:
        """Put views at the end of a job's script."""
        with self._changed:
            job = self.jobs.setdefault(job_id, [])
            for view in views:
                job.append({**view, "id": job_id, "version": len(job) + 1})
            self._at.setdefault(job_id, 0)
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
            Route("/v1/jobs/{id:int}", self._job),
            Route("/v1/jobs/{id:int}/cancel", self._cancel, methods=["POST"]),
            Route("/v1/plan", self._plan, methods=["POST"]),
            Route("/v1/gpus", self._gpus),
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
            asked = json.loads(body) if body else None
            with self._changed:
                self.requests.append((request.method, request.url.path, asked))
                self._changed.notify_all()
            request.state.body = asked
            return await run_in_threadpool(route.endpoint, request)

        methods = sorted(route.methods or ()) or None
        return Route(route.path, answer, methods=methods)

    def _health(self, _request: Request) -> Response:
        health = {
            "version": "0.1.0",
            "pid": os.getpid(),
            "ray_address": "127.0.0.1:6379",
            "dashboard": "http://127.0.0.1:8265",
            "nodes": ["local"],
        }
        return JSONResponse(health)

    def _submit(self, _request: Request) -> Response:
        if self.refuse is not None:
            return JSONResponse(self.refuse, status_code=409)
        job_id = max(self.jobs, default=41) + 1
        self.add(job_id, *self.script)
        return JSONResponse({"job": self.jobs[job_id][0]}, status_code=201)

    def _list(self, request: Request) -> Response:
        jobs = [views[self._at[number]] for number, views in self.jobs.items()]
        every = request.query_params["all"] == "1"
        final = ("SUCCEEDED", "FAILED", "CANCELLED")
        shown = [job for job in jobs if every or job["state"] not in final]
        return JSONResponse({"jobs": shown[::-1]})

    def _job(self, request: Request) -> Response:
        job_id = request.path_params["id"]
        if job_id not in self.jobs:
            fault = Fault(Code.NO_SUCH_JOB, f"there is no job {job_id}")
            return JSONResponse(documents.faults(fault), status_code=404)
        after, wait = (request.query_params.get(key) for key in ("after", "wait"))
        if after is not None:
            self._move_on(job_id, int(after), float(wait or 0))
        if job_id not in self.jobs:
            return Response(status_code=410)
        return JSONResponse({"job": self.jobs[job_id][self._at[job_id]]})

    def _move_on(self, job_id: int, after: int, wait_s: float) -> None:
        views, generation = self.jobs[job_id], self._generation
        with self._changed:
            self._changed.wait_for(
                lambda: self._generation != generation or len(views) > after, wait_s
            )
            if self._generation == generation:
                self._at[job_id] = min(after, len(views) - 1)

    def _cancel(self, request: Request) -> Response:
        job_id = request.path_params["id"]
        if self.jobs[job_id][-1]["finished_at"] is None:
            self.add(job_id, *self.on_cancel(request.state.body["force"]))
            self._at[job_id] = len(self.jobs[job_id]) - 1
        return JSONResponse({"job": self.jobs[job_id][self._at[job_id]]})

    def _plan(self, _request: Request) -> Response:
        return JSONResponse(self.plan)

    def _gpus(self, _request: Request) -> Response:
        return JSONResponse(self.gpus)
