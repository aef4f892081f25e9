"""What `--json` prints: one document, of a named form, also for an error."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from orchestrator.errors import Fault


def envelope(command: str, data: object) -> str:
    """A command's answer: `{"schema": "orch.COMMAND/v1", "data": ...}`."""
    return _text({"schema": f"orch.{command}/v1", "data": data})


def error_envelope(faults: Sequence[Fault]) -> str:
    """An error: the first fault on top, all of them under `faults`."""
    first = faults[0]
    error: dict[str, Any] = {
        "code": str(first.code),
        "message": first.message,
        "hint": first.fix or None,
        "exit_code": first.exit_code,
        "faults": [fault.to_json() for fault in faults],
    }
    return _text({"schema": "orch.error/v1", "error": error})


def _text(document: dict[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False)
