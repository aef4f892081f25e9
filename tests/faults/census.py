"""What Ray holds of ours: a process that is connected to it, and answers questions.

`python -m tests.faults.census ADDRESS`: a line in, a line of JSON out. The harness has
it beside itself, and so needs no Ray of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import IO

import ray
from ray.util.placement_group import placement_group_table

from orchestrator.runtime.head import TOKEN_FILE, ray_environment
from orchestrator.runtime.host import connect
from orchestrator.runtime.node_agents import NAMESPACE
from tests.faults.head import ROOT, Head

OURS = "orch:job-"


@dataclass(frozen=True, slots=True)
class Held:
    """Named actors and leases of jobs."""

    actors: frozenset[str]
    leases: frozenset[str]


class Census:
    """The other end of the process."""

    def __init__(self, head: Head) -> None:
        address = head.ray.address
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.census", address],
            cwd=ROOT,
            env={**os.environ, **ray_environment(head.state / TOKEN_FILE)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self) -> Held:
        """What Ray holds now."""
        asks, answers = self._ends()
        asks.write("\n")
        asks.flush()
        found = json.loads(answers.readline())
        return Held(frozenset(found["actors"]), frozenset(found["leases"]))

    def close(self) -> None:
        """Let the process go."""
        for end in self._ends():
            end.close()
        self._process.wait(timeout=30)

    def _ends(self) -> tuple[IO[str], IO[str]]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        return self._process.stdin, self._process.stdout


def main() -> None:
    """Answer until nobody asks any more."""
    connect(sys.argv[1])
    for _ in sys.stdin:
        sys.stdout.write(json.dumps(_look()) + "\n")
        sys.stdout.flush()


def _look() -> dict[str, list[str]]:
    actors = ray.util.list_named_actors(all_namespaces=True)
    names = [each["name"] for each in actors if each["namespace"] == NAMESPACE]
    groups = placement_group_table().values()
    held = [group["name"] for group in groups if group["state"] != "REMOVED"]
    return {
        "actors": [name for name in names if name.startswith(OURS)],
        "leases": [name for name in held if name.startswith(OURS)],
    }


if __name__ == "__main__":
    main()
