"""The Python API and commands over a real cluster, as a program of a user has them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import Orch

pytestmark = pytest.mark.ray

PROGRAM = """
import json, sys
import orchestrator as orch

batch = orch.submit(sys.argv[1], set={"name": "by-python"})
assert batch.wait() == "SUCCEEDED", batch.view().faults
outputs = [row["output"] for row in batch.results()]

command = orch.submit({
    "version": 1, "kind": "command", "secrets": ["KEY"],
    "run": "cat note.txt; echo $KEY; exit 3", "workdir": sys.argv[2],
})
state = command.wait()
assert "ray" not in sys.modules and "torch" not in sys.modules
print(json.dumps({
    "outputs": outputs, "state": state, "log": command.logs(),
    "last": str(orch.job("last").key) == str(command.key),
    "exit": command.view().command.exit_code,
}))
"""


def test_a_program_submits_waits_and_reads(orch: Orch, tmp_path: Path) -> None:
    job = orch.write_slow_job("by_python", 20, pace=1000.0)
    (tmp_path / "note.txt").write_text("as it was submitted\n")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(job), str(tmp_path)],
        cwd=orch.folder,
        env={**orch.environment, "KEY": "s3cret-value"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said == {
        "outputs": [[2.0 * n] for n in range(20)],
        "state": "FAILED",
        "log": "as it was submitted\n***\n",
        "last": True,
        "exit": 3,
    }
