"""Processes connected to a Ray head of ours, in which a test runs functions."""

from __future__ import annotations

import logging
import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import ray

from orchestrator.runtime.head import TOKEN_FILE, Head, ray_environment, start_head


def start_in_child(state: Path, gpus: int = 0) -> Head:
    """Start a head whose parent is gone, as after `orch up`."""
    extra = {"RAY_OVERRIDE_RESOURCES": f'{{"GPU": {gpus}}}'} if gpus else {}
    with _child(extra) as child:
        return child.submit(start_head, state).result()


@contextmanager
def connected(head: Head, state: Path) -> Iterator[ProcessPoolExecutor]:
    """A process that is a driver of this head."""
    with _child(ray_environment(state / TOKEN_FILE)) as child:
        child.submit(_connect, head.address).result()
        yield child


def family(head: Head) -> list[psutil.Process]:
    process = psutil.Process(head.pid)
    return [process, *process.children(recursive=True)]


@contextmanager
def _child(extra: dict[str, str]) -> Iterator[ProcessPoolExecutor]:
    # Ray reads its environment when it is imported.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, context) as pool:
        with pytest.MonkeyPatch.context() as environment:
            for name, value in extra.items():
                environment.setenv(name, value)
            pool.submit(os.getpid).result()
        yield pool


def _connect(address: str) -> None:
    ray.init(
        address=address,
        namespace="orch",
        log_to_driver=False,
        logging_level=logging.ERROR,
    )
