"""The folder of a job as it was at submit, packed: what runs is what was submitted."""

from __future__ import annotations

import hashlib
import os
import stat
import tarfile
import zlib
from collections.abc import Collection
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from orchestrator.client.links import target_inside
from orchestrator.client.tree import Entry, Kind, not_a_folder, unreadable, walk
from orchestrator.errors import Code, OrchError
from orchestrator.units import MIB, format_memory

LIMIT_BYTES = 64 * MIB
_BLOCK = tarfile.BLOCKSIZE
# Beyond it, code shrinks by a few per cent more in several times the time.
_LEVEL = 1
# One for all files; before 1980 a zip could not hold them.
_TIME_S = 946_684_800


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A folder, packed.

    Attributes:
        sha256: Of `data`, in hex. Equal content has equal data, whatever the files'
            times and owners and the order in which the disk lists them.
        size_bytes: What the files hold, unpacked.
        files: How many there are, links included.
        data: A tar.gz.
    """

    sha256: str
    size_bytes: int
    files: int
    data: bytes


def take_snapshot(
    workdir: Path, *, limit_bytes: int = LIMIT_BYTES, leave_out: Collection[Path] = ()
) -> Snapshot:
    """Pack what a job needs of its folder.

    What `.gitignore` and `.orchignore` leave out stays, and so do `.git`, virtual
    environments, caches, sockets and pipes. Of the modes, only the owner's right to
    execute travels.

    Args:
        workdir: The folder.
        limit_bytes: What the files may hold at most, and the packed data too.
        leave_out: What stays besides: the job's own output folder. From a part with
            a brace on, as in `out/{id}`, a path stands for many: all of `out` stays.

    Raises:
        OrchError: E204, the folder is not there or something in it cannot be read;
            E203, it is too large, or a link leads out of it.
    """
    root = Path(os.path.realpath(workdir))
    if not root.is_dir():
        raise not_a_folder(workdir)
    entries = walk(root, leave_out=_inside(root, leave_out))
    sizes = {entry.name: entry.size_bytes for entry in entries}
    if sum(sizes.values()) > limit_bytes:
        raise _too_large(root, sizes, limit_bytes)
    targets = _targets(root, entries)
    pack = _Pack(limit_bytes)
    fits = all(pack.add(entry, targets.get(entry.name, "")) for entry in entries)
    data = pack.finished()
    if not fits or len(data) > limit_bytes:
        raise _too_large(root, {**sizes, **pack.sizes}, limit_bytes)
    return Snapshot(
        hashlib.sha256(data).hexdigest(),
        sum(pack.sizes.values()),
        len(pack.sizes),
        data,
    )


def _inside(root: Path, paths: Collection[Path]) -> list[Path]:
    """The paths without links; those that hold `root` itself would leave nothing."""
    plain = [_before_braces(path) for path in paths]
    real = [Path(os.path.realpath(path)) for path in plain]
    # The folder can be a link, which stays, too.
    real += [Path(os.path.realpath(path.parent)) / path.name for path in plain]
    return [path for path in real if not root.is_relative_to(path)]


def _before_braces(path: Path) -> Path:
    return Path(*takewhile(lambda part: "{" not in part, path.parts))


class _Pack:
    """A tar.gz that grows, and what each of its files turned out to hold."""

    def __init__(self, limit_bytes: int) -> None:
        self.sizes: dict[str, int] = {}
        self._left = limit_bytes
        self._compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, 31)
        self._data = bytearray()

    def add(self, entry: Entry, target: str) -> bool:
        """Add an entry; false if that exceeds the limit. What is gone is left out."""
        member = tarfile.TarInfo(entry.name)
        member.mode, member.mtime = 0o755, _TIME_S
        content = b""
        match entry.kind:
            case Kind.FOLDER:
                member.type = tarfile.DIRTYPE
            case Kind.LINK:
                member.type, member.linkname = tarfile.SYMTYPE, target
                self.sizes[entry.name] = 0
            case Kind.FILE:
                read = _read(entry.path, self._left + 1)
                if read is None:
                    return True
                content, member.mode = read
                self.sizes[entry.name] = member.size = len(content)
        self._left -= len(content)
        self._write(member.tobuf(tarfile.PAX_FORMAT, errors="surrogateescape"))
        self._write(content + bytes(-len(content) % _BLOCK))
        return self._left >= 0

    def finished(self) -> bytes:
        """All of it, with the end that a tar has."""
        self._write(bytes(2 * _BLOCK))
        return bytes(self._data) + self._compressor.flush()

    def _write(self, piece: bytes) -> None:
        self._data += self._compressor.compress(piece)


def _read(path: Path, limit_bytes: int) -> tuple[bytes, int] | None:
    """A file's first bytes and its mode; `None` if it is gone or no file any more."""
    try:
        # A pipe that took its place must not hold us.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
        with os.fdopen(os.open(path, flags), "rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if not stat.S_ISREG(mode):
                return None
            return file.read(limit_bytes), 0o755 if mode & 0o100 else 0o644
    except PermissionError as error:
        raise unreadable(path, error) from error
    except OSError:
        return None


def _targets(root: Path, entries: list[Entry]) -> dict[str, str]:
    """Where each link leads, by its name."""
    links = [entry for entry in entries if entry.kind is Kind.LINK]
    targets = {link.name: target_inside(root, link.path) for link in links}
    outside = [link for link in links if targets[link.name] is None]
    if outside:
        raise OrchError.of(
            Code.BAD_VALUE,
            f"a link leads out of the job's folder: {outside[0].name}",
            facts=tuple(f"{e.name} -> {os.path.realpath(e.path)}" for e in outside[:5]),
            fix="name it in .orchignore and let the job use the absolute path, or put "
            "a copy in its place",
            at="workdir",
        )
    return {name: target for name, target in targets.items() if target is not None}


def _too_large(root: Path, sizes: dict[str, int], limit_bytes: int) -> OrchError:
    largest = sorted(sizes, key=lambda name: (-sizes[name], name))[:5]
    return OrchError.of(
        Code.BAD_VALUE,
        f"'{root}' holds {format_memory(sum(sizes.values()))}; "
        f"at most {format_memory(limit_bytes)} travel with a job",
        facts=tuple(f"{format_memory(sizes[name])}  {name}" for name in largest),
        fix="name what the job does not need in .orchignore, as in a .gitignore, "
        f"for example: {largest[0]}",
        at="workdir",
    )
