"""Whose a job's folder on a node is: a new database gives numbers out again."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

RUN = "run"


def claim(folder: Path, run: str) -> None:
    """Keep what another job of this number has left away from this one.

    Args:
        folder: The job's, on this node.
        run: Unique over all jobs of all time.
    """
    if _owner(folder) == run:
        return
    if folder.exists():
        folder.rename(folder.with_name(f"{folder.name}-before-{secrets.token_hex(4)}"))
    folder.mkdir(mode=0o700, parents=True)
    # Whole or not at all: a mark that is cut short would not be known again.
    new = folder / f"{RUN}.new"
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
        file.write(run)
    new.rename(folder / RUN)


def _owner(folder: Path) -> str:
    try:
        return (folder / RUN).read_text()
    except OSError:
        return ""
