"""Starts a fake controller as the real program would: once, in the background."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

folder = Path(sys.argv[sys.argv.index("--state-dir") + 1])
with (folder / "starts").open("a") as starts:
    starts.write("start\n")
if "--fail" in sys.argv:
    fault = {"code": "E102", "message": "the driver does not answer", "fix": "reboot"}
    sys.stdout.write("before the last line\n")
    sys.stdout.write(json.dumps({"faults": [fault]}) + "\n")
    sys.exit(1)
if "--crash" in sys.argv:
    sys.exit("Ray said something odd")
sys.stderr.write("starting Ray ...\n")
sys.stderr.write("[2026-11-22 13:50:37,933 W 17058] gcs_client.cc:210: noise\n")
server = subprocess.Popen(
    [sys.executable, "-m", "tests.client.programs.server", str(folder)],
    stdout=subprocess.PIPE,
    stderr=subprocess.DEVNULL,
    start_new_session=True,
)
assert server.stdout is not None
server.stdout.readline()
