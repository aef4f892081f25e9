"""The packed folders that jobs came with, each under its own hash."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import posixpath
import re
import tarfile
import threading
import zlib
from collections.abc import Iterator, Set
from datetime import UTC, datetime
from pathlib import Path

from orchestrator.data.files import remove_leftovers, write_atomic
from orchestrator.errors import Code, OrchError
from orchestrator.units import GIB, MIB, format_count, format_memory

EXTRACTED_LIMIT_BYTES = GIB
MAX_MEMBERS = 100_000
UNUSED_S = 3600.0
"""A snapshot that was sent or asked for may wait this long for its job."""

_SHA256 = re.compile(r"[0-9a-f]{64}")
_TYPES = {tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE}
# A member's header is at most its two paths; more is only there to fill our memory.
_HEADER_LIMIT_BYTES = MIB


class Snapshots:
    """A folder of tar.gz files. Call from any thread."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        remove_leftovers(folder)
        self._folder = folder
        self._lock = threading.Lock()

    def put(self, sha256: str, body: bytes) -> None:
        """Keep a snapshot; on the disk when this returns. Again does no harm.

        Raises:
            OrchError: E203, the hash is not that of `body`, or that is not a tar.gz
                which can be unpacked without harm.
        """
        path = self.path(sha256)
        if hashlib.sha256(body).hexdigest() != sha256:
            raise _bad("its content has another hash; send it again")
        if self.has(sha256):
            return
        check_archive(body)
        with self._lock:
            write_atomic(path, (body,))

    def has(self, sha256: str) -> bool:
        """Whether it is here; then it stays long enough to submit a job with it.

        Raises:
            OrchError: E203, this is no hash.
        """
        path = self.path(sha256)
        with self._lock:
            try:
                os.utime(path)
            except FileNotFoundError:
                return False
        return True

    def path(self, sha256: str) -> Path:
        """Where it is, or would be; always right inside the folder.

        Raises:
            OrchError: E203, this is no hash: not 64 lower-case hexadecimal digits.
        """
        if _SHA256.fullmatch(sha256) is None:
            raise _bad("its name is not a SHA-256 in hexadecimal digits")
        return self._folder / f"{sha256}.tar.gz"

    def drop_unused(self, kept: Set[str], *, unused_s: float = UNUSED_S) -> int:
        """Remove what no job needs; returns how many.

        Args:
            kept: The hashes that jobs need.
            unused_s: What was put or asked for since stays, too: its job may be
                on its way.
        """
        oldest = datetime.now(UTC).timestamp() - unused_s
        dropped = 0
        for path in self._folder.glob("*.tar.gz"):
            with self._lock:
                needed = path.name.removesuffix(".tar.gz") in kept
                if not needed and path.stat().st_mtime <= oldest:
                    path.unlink()
                    dropped += 1
        return dropped


def check_archive(
    body: bytes,
    *,
    limit_bytes: int = EXTRACTED_LIMIT_BYTES,
    max_members: int = MAX_MEMBERS,
) -> None:
    """Refuse what is not a tar.gz of files, folders and links that stay inside.

    Args:
        body: The tar.gz.
        limit_bytes: What its files may hold at most.
        max_members: How many there may be.

    Raises:
        OrchError: E203, with the first member that may not be.
    """
    links: set[str] = set()
    names: set[str] = set()
    try:
        for member in _members(body, limit_bytes, max_members):
            name = _checked_name(member, names, links)
            names.add(name)
            if member.issym():
                links.add(name)
    except (tarfile.TarError, zlib.error, EOFError, ValueError, OSError) as error:
        raise _bad(f"it is not a whole tar.gz: {error}") from error


def _members(
    body: bytes, limit_bytes: int, max_members: int
) -> Iterator[tarfile.TarInfo]:
    """The members, as long as all that they hold stays within bounds."""
    total = count = 0
    with (
        _BoundedGzip(fileobj=io.BytesIO(body)) as unpacked,
        tarfile.open(fileobj=unpacked, mode="r:") as archive,
    ):
        while (member := archive.next()) is not None:
            # It keeps every member that it has seen; of this typeshed knows nothing.
            archive.members.clear()  # type: ignore[attr-defined]
            total, count = total + max(member.size, 0), count + 1
            if total > limit_bytes or member.size < 0:
                limit = format_memory(limit_bytes)
                raise _bad(f"unpacked it holds more than {limit}")
            if count > max_members:
                raise _bad(f"it has more than {format_count(max_members)} members")
            yield member


class _BoundedGzip(gzip.GzipFile):
    """Content is passed over by seeking; whole pieces are read only of headers."""

    def read(self, size: int | None = -1) -> bytes:
        """Some bytes, but never very many."""
        if size is None or not 0 <= size <= _HEADER_LIMIT_BYTES:
            raise tarfile.ReadError("a header that is too long")
        return super().read(size)


def _checked_name(member: tarfile.TarInfo, names: Set[str], links: Set[str]) -> str:
    name = member.name.removesuffix("/")
    shown = ascii(name[:200])
    if member.type not in _TYPES or member.sparse is not None:
        raise _bad(f"{shown} is neither a file nor a folder nor a symbolic link")
    if not _stays_inside(name) or name != posixpath.normpath(name) or name in names:
        raise _bad(f"{shown} is no place inside the folder")
    if any(folder in links for folder in _folders_above(name)):
        raise _bad(f"{shown} lies behind a link")
    if member.issym() and not _stays_inside(
        posixpath.join(posixpath.dirname(name), member.linkname)
    ):
        raise _bad(f"the link {shown} leads out of the folder")
    return name


def _stays_inside(path: str) -> bool:
    plain = posixpath.normpath(path)
    outside = plain == ".." or plain.startswith(("/", "../"))
    return "\0" not in path and not outside


def _folders_above(name: str) -> Iterator[str]:
    folder = posixpath.dirname(name)
    while folder:
        yield folder
        folder = posixpath.dirname(folder)


def _bad(what: str) -> OrchError:
    return OrchError.of(Code.BAD_VALUE, f"a snapshot cannot be taken: {what}")
