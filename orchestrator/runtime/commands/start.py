"""The script that a keeper is started with: `python -I -S start.py`.

It imports the keeper without the `__init__` of the packages above it, so that nothing
heavy comes along, whatever those import now or later.
"""

import importlib
import sys
from pathlib import Path
from types import ModuleType

_HERE = Path(__file__).resolve().parent
_PACKAGES = {
    "orchestrator": _HERE.parent.parent,
    "orchestrator.runtime": _HERE.parent,
    "orchestrator.runtime.commands": _HERE,
}


def main() -> None:
    """Be a keeper; standard input is the socket to the agent."""
    for name, folder in _PACKAGES.items():
        package = ModuleType(name)
        package.__path__ = [str(folder)]
        sys.modules[name] = package
    importlib.import_module("orchestrator.runtime.commands.keeper").main()


if __name__ == "__main__":
    main()
