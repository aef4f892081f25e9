"""Connects to a Ray and brings the controller's actor up in it."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from orchestrator.errors import Code, OrchError
from orchestrator.runtime.node_agents import NAMESPACE
from orchestrator.runtime.translate import translated

CONTROLLER = "orch:controller"
START_TIMEOUT_S = 60.0


def connect(address: str) -> None:
    """Connect this process to the Ray at `address`, by the token of its environment.

    Raises:
        OrchError: E302, nobody answers there, or the token is not theirs.
    """
    with translated(Code.CONTROLLER_UNREACHABLE, f"the Ray at {address}"):
        try:
            ray.init(
                address=address,
                namespace=NAMESPACE,
                log_to_driver=False,
                logging_level=logging.ERROR,
            )
        except (ConnectionError, RuntimeError) as error:
            raise OrchError.of(
                Code.CONTROLLER_UNREACHABLE,
                f"the Ray at {address} does not answer: {error}",
                fix="`orch down`, then `orch up`",
            ) from error


def start_controller(controller: type, state: Path) -> str:
    """Start the controller's actor, or find it; returns its URL.

    Args:
        controller: The class; its constructor takes the state folder.
        state: That folder.

    Raises:
        OrchError: E302, it does not come up.
    """
    head = next(n for n in ray.nodes() if "node:__internal_head__" in n["Resources"])  # type: ignore[no-untyped-call]
    with translated(Code.CONTROLLER_UNREACHABLE, "the controller did not start"):
        actor: Any = (
            ray.remote(controller)
            .options(
                name=CONTROLLER,
                namespace=NAMESPACE,
                lifetime="detached",
                get_if_exists=True,
                num_cpus=0,
                max_restarts=-1,
                max_concurrency=4,
                scheduling_strategy=NodeAffinitySchedulingStrategy(
                    head["NodeID"], soft=False
                ),
                runtime_env={"env_vars": _inherited(os.environ)},
            )
            .remote(str(state))
        )
        url: str = ray.get(actor.url.remote(), timeout=START_TIMEOUT_S)
        return url


def _inherited(environment: Mapping[str, str]) -> dict[str, str]:
    """What the controller must know of the environment it was started from."""
    return {k: v for k, v in environment.items() if k.startswith(("ORCH_", "HF_"))}
