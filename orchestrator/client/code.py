"""The user's own modules, packed to travel with the job."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from pathlib import Path

from orchestrator.client.ignore import Ignore, ignore_rules
from orchestrator.client.tree import not_a_folder, unreadable
from orchestrator.errors import Code, OrchError
from orchestrator.units import MIB, format_memory

LIMIT_BYTES = 10 * MIB
_LEFT_OUT = {"node_modules", "site-packages", "venv", "env", "build", "dist"}


def snapshot_code(folder: Path, *, limit_bytes: int = LIMIT_BYTES) -> dict[str, str]:
    """The Python files of a folder and of the packages below it.

    A package is a folder with an `__init__.py`; hidden folders, virtual
    environments and caches are left out, and so is what `.gitignore` and
    `.orchignore` leave out.

    Returns:
        The files' content in base64, by path relative to `folder`.

    Raises:
        OrchError: E203, together they are too large; E204, one cannot be read, or
            the folder is not there.
    """
    if not folder.is_dir():
        raise not_a_folder(folder)
    folder = folder.resolve()
    files = sorted(_sources(folder, ignore_rules(folder)))
    sizes = {path: path.stat().st_size for path in files}
    total = sum(sizes.values())
    if total > limit_bytes:
        raise _too_large(folder, sizes, limit_bytes)
    return {path.relative_to(folder).as_posix(): _encoded(path) for path in files}


def _encoded(path: Path) -> str:
    try:
        return base64.b64encode(path.read_bytes()).decode()
    except OSError as error:
        raise unreadable(path, error, "model.entry") from error


def _sources(folder: Path, ignore: Ignore) -> Iterator[Path]:
    for entry in os.scandir(folder):
        path = Path(entry.path)
        is_folder = entry.is_dir(follow_symlinks=False)
        if ignore.leaves_out(os.fsencode(entry.name), folder=is_folder):
            continue
        if entry.is_file() and path.suffix == ".py":
            yield path
        elif is_folder and _is_package(path):
            yield from _sources(path, ignore.inside(path))


def _is_package(path: Path) -> bool:
    if path.name.startswith((".", "__")) or path.name in _LEFT_OUT:
        return False
    return (path / "__init__.py").is_file()


def _too_large(folder: Path, sizes: dict[Path, int], limit_bytes: int) -> OrchError:
    largest = sorted(sizes, key=lambda path: sizes[path], reverse=True)[:5]
    return OrchError.of(
        Code.BAD_VALUE,
        f"the Python files in '{folder}' are "
        f"{format_memory(sum(sizes.values()))} in all; "
        f"at most {format_memory(limit_bytes)} travel with a job",
        facts=tuple(
            f"{format_memory(sizes[path])}  {path.relative_to(folder)}"
            for path in largest
        ),
        fix="set workdir to a folder with only the code that the job needs",
        at="model.entry",
    )
