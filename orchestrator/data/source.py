"""Which files a job reads, what they hold in all, and what identifies them."""

from __future__ import annotations

import glob
import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from orchestrator.data.records import blocks
from orchestrator.data.rows import ChunkFormat
from orchestrator.errors import Code, OrchError
from orchestrator.spec.job import Input
from orchestrator.units import MIB

_ENDINGS = {
    ".jsonl": ChunkFormat.JSONL,
    ".ndjson": ChunkFormat.JSONL,
    ".json": ChunkFormat.JSONL,
    ".csv": ChunkFormat.CSV,
    ".parquet": ChunkFormat.ARROW,
    ".pq": ChunkFormat.ARROW,
    ".txt": ChunkFormat.TEXT,
    ".text": ChunkFormat.TEXT,
    ".md": ChunkFormat.TEXT,
}
_NAMED = {
    "jsonl": ChunkFormat.JSONL,
    "csv": ChunkFormat.CSV,
    "parquet": ChunkFormat.ARROW,
    "text": ChunkFormat.TEXT,
}
_FORMATS_FIX = "set input.format to jsonl, csv, parquet or text"
_HASH_BLOCK_BYTES = 8 * MIB
_HASH_THREADS = 4


@dataclass(frozen=True, slots=True)
class Source:
    """The input of a job.

    Attributes:
        files: The files, in the order in which their rows are numbered.
        format: How they are written; `ARROW` stands for Parquet.
    """

    files: tuple[Path, ...]
    format: ChunkFormat

    @property
    def bytes_total(self) -> int:
        """Size of all files together."""
        return sum(path.stat().st_size for path in self.files)


def resolve_inputs(spec: Input, folder: Path) -> Source:
    """The files that `spec.path` names, sorted; a relative path starts at `folder`.

    Raises:
        OrchError: E204 when there is no such file, E203 when the format of the files
            is unknown, differs between them, or is a JSON array.
    """
    files = _matching(spec.path, folder)
    if not files:
        raise OrchError.of(
            Code.FILE_NOT_FOUND,
            f"no file matches input.path '{spec.path}'",
            facts=(f"looked in {folder}",),
            fix="give a file, or a pattern such as data/*.jsonl",
        )
    kind = _NAMED[spec.format] if spec.format != "auto" else _format_of(files)
    if kind is ChunkFormat.JSONL:
        for path in files:
            _refuse_array(path)
    return Source(files, kind)


def _matching(pattern: str, folder: Path) -> tuple[Path, ...]:
    literal = folder / Path(pattern).expanduser()
    if literal.is_file():
        return (literal,)
    # The folder is not part of the pattern, even where its name has brackets.
    root = "" if Path(pattern).is_absolute() else glob.escape(str(folder))
    wanted = os.path.join(root, Path(pattern).expanduser())  # noqa: PTH118
    found = (Path(name) for name in glob.glob(wanted, recursive=True))  # noqa: PTH207
    return tuple(sorted(path for path in found if path.is_file()))


def _format_of(files: tuple[Path, ...]) -> ChunkFormat:
    kinds: dict[ChunkFormat, Path] = {}
    for path in files:
        kind = _ENDINGS.get(path.suffix.lower())
        if kind is None:
            raise OrchError.of(
                Code.BAD_VALUE,
                f"the format of '{path.name}' is not known by its ending",
                facts=(f"known endings: {', '.join(_ENDINGS)}",),
                fix=_FORMATS_FIX,
            )
        kinds.setdefault(kind, path)
    if len(kinds) > 1:
        names = " and ".join(f"'{path.name}'" for path in kinds.values())
        raise OrchError.of(
            Code.BAD_VALUE,
            f"input.path matches files of different formats: {names}",
            fix=f"narrow the pattern, or {_FORMATS_FIX}",
        )
    return next(iter(kinds))


def _refuse_array(path: Path) -> None:
    with path.open("rb") as file:
        start = file.read(4096).removeprefix(b"\xef\xbb\xbf").lstrip()
    if start.startswith(b"["):
        raise OrchError.of(
            Code.BAD_VALUE,
            f"'{path.name}' is a JSON array; rows are one JSON object per line",
            fix=f"jq -c '.[]' {path.name} > rows.jsonl",
        )


def count_rows(source: Source) -> int:
    """Number of rows in all files: for Parquet from its metadata, else by reading.

    Blank lines are no rows, nor is the header of a CSV file; a quoted newline in a
    CSV file ends no row. Reads in blocks, at about the speed of the disk.
    """
    if source.format is ChunkFormat.ARROW:
        return sum(pq.read_metadata(path).num_rows for path in source.files)
    return sum(
        len(block.ends)
        for path in source.files
        for block in blocks(path, source.format)
    )


def stamp(source: Source) -> str:
    """A quick identity of the input: paths, sizes and times of change, no content."""
    digest = hashlib.blake2b(digest_size=16)
    for path in source.files:
        stat = path.stat()
        digest.update(f"{path}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def fingerprint(source: Source) -> str:
    """Identity of the input: names (not folders), sizes and content of every file.

    The content counts byte for byte: blocks of 8 MiB are hashed with BLAKE2b on
    several threads, and their hashes in order are hashed again. Files may be moved
    together without a change.
    """
    digest = hashlib.blake2b(digest_size=16)
    with ThreadPoolExecutor(_HASH_THREADS) as pool:
        for path in source.files:
            size = path.stat().st_size
            digest.update(f"{path.name}\0{size}\n".encode())
            for block in pool.map(_hash_block, *zip(*_blocks(path, size), strict=True)):
                digest.update(block)
    return digest.hexdigest()


def _blocks(path: Path, size: int) -> Iterator[tuple[Path, int]]:
    for start in range(0, max(size, 1), _HASH_BLOCK_BYTES):
        yield path, start


def _hash_block(path: Path, start: int) -> bytes:
    with path.open("rb", buffering=0) as file:
        file.seek(start)
        block = file.read(_HASH_BLOCK_BYTES)
    return hashlib.blake2b(block, digest_size=16).digest()
