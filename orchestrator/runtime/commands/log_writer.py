"""A log file, its secrets replaced, and an index of when each part of it was written.

The index (`rank-0.log.idx`) holds pairs of 64-bit numbers: milliseconds since the
epoch, and the offset of the first byte written then. A pair a second at most, and
only when the log grew: the bytes of a pair were written in the second it begins.
"""

from __future__ import annotations

import fcntl
import os
import re
import struct
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

ENTRY = struct.Struct("<qq")
EVERY_MS = 1000
HIDDEN = b"***"
READ_BYTES = 1 << 18
PIPE_BYTES = 1 << 20


class Redactor:
    """Replaces texts in a stream of bytes, wherever the reads happen to cut it."""

    def __init__(self, texts: tuple[str, ...]) -> None:
        found = {text.encode("utf-8", "surrogateescape") for text in texts if text}
        # Where one begins with another, the longer one is meant.
        self._texts = sorted(found, key=lambda text: (-len(text), text))
        if self._texts:
            self._pattern = re.compile(b"|".join(map(re.escape, self._texts)))
        self._held = b""

    def __call__(self, data: bytes) -> bytes:
        """What can be shown now; the start of what may become a text is held back."""
        if not self._texts:
            return data
        data = self._held + data
        whole_to = self._first_cut(data)
        shown: list[bytes] = []
        done = 0
        for match in self._pattern.finditer(data):
            if match.start() >= whole_to:
                break
            shown += (data[done : match.start()], HIDDEN)
            done = match.end()
        shown.append(data[done:whole_to])
        self._held = data[max(done, whole_to) :]
        return b"".join(shown)

    def rest(self) -> bytes:
        """What was held back, at the end of the stream."""
        held, self._held = self._held, b""
        return self._pattern.sub(HIDDEN, held) if self._texts else held

    def _first_cut(self, data: bytes) -> int:
        """Where a text begins that the data does not end; the data's end if none."""
        longest = len(self._texts[0])
        for start in range(max(0, len(data) - longest + 1), len(data)):
            end = data[start:]
            if any(len(t) > len(end) and t.startswith(end) for t in self._texts):
                return start
        return len(data)


class LogWriter:
    """Appends to a log and to its index."""

    def __init__(self, path: Path, redact: tuple[str, ...] = ()) -> None:
        """Use this file; it and its index are made with the first output."""
        self._path = path
        self._log = self._index = -1
        self._redactor = Redactor(redact)
        self._offset = 0
        self._next_ms = 0

    def write(self, data: bytes) -> None:
        """Append what the program wrote; a full disk loses it, not the program."""
        self._append(self._redactor(data))

    def close(self) -> None:
        """Write what was held back and close."""
        self._append(self._redactor.rest())
        if self._log >= 0:
            os.close(self._log)
            os.close(self._index)

    def _append(self, data: bytes) -> None:
        if not data:
            return
        with suppress(OSError):
            if self._log < 0:
                self._open()
            self._mark()
            rest = memoryview(data)
            while rest:
                written = os.write(self._log, rest)
                self._offset += written
                rest = rest[written:]

    def _open(self) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        log = _open(self._path)
        try:
            self._index = _open(index_of(self._path))
        except OSError:
            os.close(log)
            raise
        self._log, self._offset = log, os.fstat(log).st_size

    def _mark(self) -> None:
        now_ms = int(datetime.now(UTC).timestamp() * 1000)
        if now_ms >= self._next_ms:
            os.write(self._index, ENTRY.pack(now_ms, self._offset))
            self._next_ms = now_ms + EVERY_MS


def open_pipe() -> tuple[int, int]:
    """A pipe for a program's output, both ends: the one to read comes first."""
    read, write = os.pipe2(os.O_CLOEXEC)
    # Larger than usual, so that a flood of output seldom waits for the reader.
    with suppress(OSError):
        fcntl.fcntl(read, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    return read, write


def index_of(log: Path) -> Path:
    """Where the index of a log is."""
    return log.with_name(f"{log.name}.idx")


def _open(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
