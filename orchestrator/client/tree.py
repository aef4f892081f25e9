"""What of a folder travels: its files, folders and links, less what is ignored."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path

from orchestrator.client.ignore import Ignore, ignore_rules
from orchestrator.errors import Code, OrchError
from orchestrator.units import format_count

MAX_ENTRIES = 100_000


class Kind(Enum):
    """What an entry is. Sockets, pipes and such never travel."""

    FILE = auto()
    FOLDER = auto()
    LINK = auto()


@dataclass(frozen=True, slots=True)
class Entry:
    """Something in the tree.

    Attributes:
        name: Its path from the root, with slashes.
        path: Where it is.
        kind: What it is.
        size_bytes: Of a file, as it was seen; 0 for others.
    """

    name: str
    path: Path
    kind: Kind
    size_bytes: int = 0


def walk(root: Path, *, leave_out: Collection[Path] = ()) -> list[Entry]:
    """Everything below `root` that travels, in order of the names.

    Args:
        root: The folder; absolute, no link.
        leave_out: Absolute paths that stay at home although no rule says so.

    Raises:
        OrchError: E204, a folder or an ignore file cannot be read; E203, the tree has
            more than 100,000 entries.
    """
    found: list[Entry] = []
    left_out = {str(path) for path in leave_out}
    for entry in _below(_scan(root), "", ignore_rules(root), left_out):
        found.append(entry)
        if len(found) > MAX_ENTRIES:
            raise _too_many(root, found)
    return sorted(found, key=lambda entry: entry.name)


def _below(
    folder: list[os.DirEntry[str]],
    prefix: str,
    ignore: Ignore,
    leave_out: Collection[str],
) -> Iterator[Entry]:
    for found in folder:
        if found.name == ".git" or found.path in leave_out:
            continue
        is_folder = found.is_dir(follow_symlinks=False)
        if ignore.leaves_out(os.fsencode(found.name), folder=is_folder):
            continue
        path, name = Path(found.path), prefix + found.name
        if is_folder:
            yield Entry(name, path, Kind.FOLDER)
            yield from _below(_scan(path), f"{name}/", ignore.inside(path), leave_out)
        elif found.is_symlink():
            yield Entry(name, path, Kind.LINK)
        elif found.is_file():
            yield Entry(name, path, Kind.FILE, _size(found))


def _scan(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except FileNotFoundError:
        # Removed since its parent was read: it is as if it had never been there.
        return []
    except OSError as error:
        raise unreadable(folder, error) from error


def _size(found: os.DirEntry[str]) -> int:
    try:
        return found.stat(follow_symlinks=False).st_size
    except OSError:
        # What is wrong with it shows when it is read.
        return 0


def not_a_folder(workdir: Path) -> OrchError:
    """E204: there is nothing to take along."""
    message = f"'{workdir}' is not a folder"
    return OrchError.of(Code.FILE_NOT_FOUND, message, at="workdir")


def unreadable(path: Path, error: OSError, at: str = "workdir") -> OrchError:
    """E204 for something that is to travel but cannot be read."""
    return OrchError.of(
        Code.FILE_NOT_FOUND,
        f"'{path}' cannot be read: {error.strerror}",
        fix="make it readable, or name it in .orchignore",
        at=at,
    )


def _too_many(root: Path, found: list[Entry]) -> OrchError:
    counts: dict[str, int] = {}
    for entry in found:
        top = entry.name.partition("/")[0]
        counts[top] = counts.get(top, 0) + 1
    largest = sorted(counts, key=lambda top: counts[top], reverse=True)[:5]
    return OrchError.of(
        Code.BAD_VALUE,
        f"'{root}' has more than {format_count(MAX_ENTRIES)} files",
        facts=tuple(f"{format_count(counts[top])}  {top}" for top in largest),
        fix="set workdir to a smaller folder, or name what the job does not need "
        "in .orchignore",
        at="workdir",
    )
