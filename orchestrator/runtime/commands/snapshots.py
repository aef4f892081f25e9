"""The code of jobs on this node: where the head has it, or else by its hash."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

from orchestrator.errors import Code, OrchError
from orchestrator.runtime.commands.spec import Snapshot


class Snapshots:
    """Files of snapshots that came from the head."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, snapshot: Snapshot) -> Path:
        """The snapshot's file on this node.

        Raises:
            OrchError: E204, it is not here.
        """
        for path in (Path(snapshot.path), self._path(snapshot.sha256)):
            if path.is_file():
                return path
        raise OrchError.of(
            Code.FILE_NOT_FOUND, f"the code of the job is not here: {snapshot.path}"
        )

    def put(self, sha256: str, code: bytes) -> None:
        """Keep the bytes of a snapshot.

        Raises:
            OrchError: E203, they are not those of this hash.
        """
        if hashlib.sha256(code).hexdigest() != sha256:
            raise OrchError.of(Code.BAD_VALUE, "a snapshot came with other bytes")
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # The tasks of an array bring the same code at once: a name for each.
        file, new = tempfile.mkstemp(".new", f"{sha256}.", self._folder)
        with os.fdopen(file, "wb") as written:
            written.write(code)
        Path(new).rename(self._path(sha256))

    def _path(self, sha256: str) -> Path:
        return self._folder / f"{sha256}.tar.gz"
