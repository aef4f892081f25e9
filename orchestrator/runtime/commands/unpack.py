"""A command's folder: the code that was submitted, unpacked once a job."""

from __future__ import annotations

import shutil
import tarfile
import zlib
from pathlib import Path

ERRORS = (OSError, EOFError, tarfile.TarError, zlib.error, TypeError)
"""What a snapshot that is broken or gone raises, or a Python too old for filters."""


def unpack(snapshot: str | None, workdir: Path) -> None:
    """Make the folder, unless an earlier attempt of the job has made it.

    Raises:
        OSError: Or another of `ERRORS`; there is no folder then.
    """
    if workdir.exists():
        return
    if snapshot is None:
        workdir.mkdir(mode=0o700, parents=True)
        return
    fresh = workdir.with_name(f"{workdir.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o700, parents=True)
    with tarfile.open(snapshot, "r:gz") as archive:
        # Nothing outside of the folder, no devices, nobody else's files.
        archive.extractall(fresh, filter="data")
    # Whole or not at all: there is no folder until it is complete.
    fresh.rename(workdir)
