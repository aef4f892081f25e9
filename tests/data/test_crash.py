"""A process that dies by SIGKILL at any step on the output folder loses nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

_SCRIPT = Path(__file__).with_name("crash_every_step.py")


@pytest.mark.parametrize(
    ("before", "after", "victim", "heir"),
    [("jsonl", "jsonl", "D", "D"), ("parquet", "jsonl", "C", "D")],
    ids=["the run comes back", "another run takes over"],
)
def test_a_crash_at_any_step_loses_nothing(
    tmp_path: Path, before: str, after: str, victim: str, heir: str
) -> None:
    done = subprocess.run(
        [sys.executable, _SCRIPT, tmp_path, before, after, victim, heir],
        cwd=_SCRIPT.parents[2],
        env={"PYTHONPATH": str(_SCRIPT.parents[2])},
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["wrong"] == []
    # Parts, moves, the merge and the clean-up: there are many steps to die at.
    assert report["steps"] > 20
