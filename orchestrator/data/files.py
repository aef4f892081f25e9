"""Files that are there whole or not at all, whatever crashes."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

TMP_SUFFIX = ".tmp"


def write_atomic(path: Path, pieces: Iterable[bytes | memoryview]) -> None:
    """Write `pieces` to `path`, so that a crash leaves the old file or the new one."""
    tmp = path.with_name(path.name + TMP_SUFFIX)
    with tmp.open("wb", buffering=0) as file:
        for piece in pieces:
            write_all(file.fileno(), piece)
        os.fsync(file.fileno())
    tmp.replace(path)
    sync_folder(path.parent)


def write_all(descriptor: int, piece: bytes | memoryview) -> None:
    """Write every byte of `piece`, however many calls the system needs."""
    rest = memoryview(piece).cast("B")
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def sync_folder(folder: Path) -> None:
    """Bring the names in `folder` to the disk, not only the files' contents."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_leftovers(folder: Path) -> None:
    """Remove what `write_atomic` left half-written in `folder` at a crash."""
    for path in folder.glob(f"*{TMP_SUFFIX}"):
        path.unlink(missing_ok=True)
