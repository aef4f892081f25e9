"""Stops the fake controller by its pid."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

file = Path(sys.argv[sys.argv.index("--state-dir") + 1]) / "controller.json"
if file.exists():
    os.kill(json.loads(file.read_text())["pid"], signal.SIGKILL)
    file.unlink()
    sys.stdout.write("the controller\n")
