"""Having a job file checked where that is quick: by a controller that runs.

What checks job files takes longer to import than all else that a command does, and the
controller has it in memory. It is the same code; what it refuses is read here again, so
that mistakes look the same whoever found them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from orchestrator.client.client import Client
from orchestrator.errors import OrchError
from orchestrator.spec.checked import CheckedJob


def check_quickly(
    client: Client, path: Path, overrides: Sequence[str]
) -> tuple[CheckedJob, ...]:
    """The jobs of a file, each after those it names; empty: check it yourself.

    Args:
        client: Whose controller checks it.
        path: A job file.
        overrides: `a.b=c` strings; they replace what the file says.
    """
    try:
        text = path.read_bytes().decode("utf-8")
        asked = {"text": text, "name": str(path), "folder": str(path.parent.absolute())}
        body = {**asked, "overrides": list(overrides)}
        found = client.wire.post("/v1/check", body)["jobs"]
    except (OSError, ValueError, OrchError):
        return ()
    return tuple(CheckedJob(spec, text, path, path.parent) for spec in found)
