"""Adds a job to the store at argv[1], prints its id and is killed before it can close.

Run by test_store.py in a process of its own.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from orchestrator.controller.store import Store

if __name__ == "__main__":
    row = Store(Path(sys.argv[1])).add_job("j", {"run": "r"}, "now", "/out/{id}")
    os.write(1, str(row.id).encode())
    os.kill(os.getpid(), signal.SIGKILL)
