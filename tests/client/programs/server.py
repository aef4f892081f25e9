"""A fake controller as a process."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.client.fake_controller import FakeController

folder = Path(sys.argv[1])
controller = FakeController()
controller.write_address(folder)
sys.stdout.write("ready\n")
sys.stdout.flush()
controller.serve_forever()
