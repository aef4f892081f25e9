"""The controller's HTTP API: JSON in, JSON out, a token on every call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import Route

from orchestrator.controller.changes import Changes
from orchestrator.controller.cluster_calls import ClusterCalls
from orchestrator.controller.job_calls import JobCalls
from orchestrator.controller.refusing import Handler, guarded, no_such_call
from orchestrator.controller.service import Service


class Api:
    """The table of all calls."""

    def __init__(
        self,
        service: Service,
        changes: Changes,
        health: dict[str, Any],
        shutdown: Callable[[], None],
    ) -> None:
        """Serve this service.

        Args:
            service: What answers.
            changes: Wakes calls that wait for a job.
            health: The constant part of /v1/health.
            shutdown: Called when the API is told to shut down.
        """
        self._jobs = JobCalls(service, changes)
        self._cluster = ClusterCalls(service, health, shutdown)

    def app(self, token: str) -> Starlette:
        """The application; every call must carry this token."""
        jobs, cluster = self._jobs, self._cluster

        def route(path: str, handler: Handler, method: str = "GET") -> Route:
            return Route(path, guarded(handler, token), methods=[method])

        app = Starlette(
            exception_handlers={HTTPException: no_such_call},
            routes=[
                route("/v1/health", cluster.health),
                route("/v1/jobs", jobs.jobs),
                route("/v1/jobs", jobs.submit, "POST"),
                route("/v1/plan", cluster.plan, "POST"),
                route("/v1/check", cluster.check, "POST"),
                route("/v1/jobs/{job}", jobs.job),
                route("/v1/jobs/{job}/tasks", jobs.tasks),
                route("/v1/jobs/{job}/story", jobs.story),
                route("/v1/jobs/{job}/logs", jobs.logs),
                route("/v1/jobs/{job}/logs/{rank}", jobs.log),
                route("/v1/jobs/{job}/cancel", jobs.cancel, "POST"),
                route("/v1/jobs/{job}/retry", jobs.retry, "POST"),
                route("/v1/history", jobs.history),
                route("/v1/snapshots/{sha256}", cluster.snapshot),
                route("/v1/snapshots/{sha256}", cluster.put_snapshot, "PUT"),
                route("/v1/gpus", cluster.gpus),
                route("/v1/shutdown", cluster.shutdown, "POST"),
            ],
        )
        app.router.redirect_slashes = False
        return app
