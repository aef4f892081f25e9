"""Runs models on every GPU you have, explains every decision, and loses nothing.

import orchestrator as orch

job = orch.submit("jobs/embed.yaml", set={"resources.gpus": 1})
job.wait()
for row in job.results():
    ...
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orchestrator.client.api import Job as Job
    from orchestrator.client.api import job as job
    from orchestrator.client.api import jobs as jobs
    from orchestrator.client.api import submit as submit
    from orchestrator.errors import Code as Code
    from orchestrator.errors import Fault as Fault
    from orchestrator.errors import OrchError as OrchError
    from orchestrator.lifecycle.states import State as State

_HOMES = {
    "Code": "orchestrator.errors",
    "Fault": "orchestrator.errors",
    "Job": "orchestrator.client.api",
    "OrchError": "orchestrator.errors",
    "State": "orchestrator.lifecycle.states",
    "job": "orchestrator.client.api",
    "jobs": "orchestrator.client.api",
    "submit": "orchestrator.client.api",
}
"""Where each name is: imported when it is first used, so that this costs nothing."""

__all__ = ["Code", "Fault", "Job", "OrchError", "State", "job", "jobs", "submit"]


def __getattr__(name: str) -> Any:  # noqa: ANN401
    """A public name, from the module that has it."""
    if name not in _HOMES:
        raise AttributeError(f"module 'orchestrator' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """The public names."""
    return __all__
