"""What the controller's small programs share: how they speak and how they fail."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Callable

from orchestrator.errors import EXIT_JOB_FAILED, EXIT_OK, Code, Fault, OrchError


def say(line: str) -> None:
    """One line of progress, for the person who waits."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def guarded(work: Callable[[], None]) -> int:
    """Run to the end; faults go to stdout as JSON, the exit code says which."""
    try:
        work()
    except OrchError as error:
        return _failed(error.faults)
    except Exception as error:  # noqa: BLE001 - the caller must hear of it as JSON
        traceback.print_exc()
        return _failed((Fault(Code.BUG, f"{type(error).__name__}: {error}"),))
    return EXIT_OK


def _failed(faults: tuple[Fault, ...]) -> int:
    text = json.dumps({"faults": [fault.to_json() for fault in faults]})
    sys.stdout.write(text + "\n")
    return EXIT_JOB_FAILED
