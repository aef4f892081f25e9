"""Other programs on the same Ray cluster: an idle engine makes room for them."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from orchestrator.runtime.head import ray_environment
from tests.e2e.conftest import Orch, read_head

pytestmark = pytest.mark.ray

NEIGHBOUR = """
import ray, sys
ray.init(address=sys.argv[1], log_to_driver=False)

@ray.remote(num_cpus=1)
def work():
    return "had a core"

print(ray.get(work.remote(), timeout=30))
"""


def test_an_idle_engine_leaves_for_another_ray_program(orch: Orch) -> None:
    orch.finish(orch.start(orch.write_slow_job("before", 400)))
    assert "idle slow:Slow" in orch.run("gpus").stdout
    done = subprocess.run(
        [sys.executable, "-c", NEIGHBOUR, read_head(orch)["address"]],
        env={**os.environ, **ray_environment(orch.state / "ray_token")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "had a core" in done.stdout, done.stderr
