"""Logs as they are written (secrets hidden, indexed by time) and as they are read."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.runtime import log_files
from orchestrator.runtime.commands.log_writer import (
    ENTRY,
    LogWriter,
    Redactor,
    index_of,
)

# --- secrets --------------------------------------------------------------------------

TEXTS = st.lists(st.text("abc", min_size=1, max_size=5), max_size=4).map(tuple)


@given(TEXTS, st.lists(st.text("abcd", max_size=8)))
def test_where_the_reads_cut_it_never_shows(
    texts: tuple[str, ...], reads: list[str]
) -> None:
    redactor = Redactor(texts)
    shown = b"".join(redactor(read.encode()) for read in reads) + redactor.rest()
    longest_first = sorted(texts, key=lambda text: (-len(text), text))
    whole = "".join(reads)
    if texts:
        whole = re.sub("|".join(longest_first), "***", whole)
    assert shown.decode() == whole


@given(TEXTS, st.binary(max_size=40))
def test_only_what_may_become_a_secret_is_held_back(
    texts: tuple[str, ...], data: bytes
) -> None:
    redactor = Redactor(texts)
    redactor(data)
    held = redactor.rest()
    assert held == b"" or any(text.startswith(held.decode()) for text in texts)


@pytest.mark.parametrize(
    ("texts", "reads", "shown"),
    [
        ((), ["plain"], "plain"),
        (("",), ["plain"], "plain"),
        (("hunter2",), ["pass hun", "ter2!"], "pass ***!"),
        (("hunter2",), ["hunter", "1"], "hunter1"),
        (("hunter2",), list("hunter2hunter2"), "******"),
        (("ab", "abcd"), ["ab", "cd"], "***"),
        (("ab", "abcd"), ["ab", "ce"], "***ce"),
        (("a.b",), ["axb a.b"], "axb ***"),
        (("line1\nline2",), ["line1\n", "line2"], "***"),
        (("schlüssel",), ["der schl\u00fcssel"], "der ***"),
    ],
)
def test_secrets(texts: tuple[str, ...], reads: list[str], shown: str) -> None:
    redactor = Redactor(texts)
    out = [redactor(read.encode()) for read in reads]
    assert b"".join([*out, redactor.rest()]).decode() == shown


def test_plain_output_is_not_held_back(tmp_path: Path) -> None:
    log = LogWriter(tmp_path / "log", ("secret",))
    log.write(b"no line break, no end")
    assert (tmp_path / "log").read_bytes() == b"no line break, no end"
    log.close()


# --- the file and its index -----------------------------------------------------------


def entries(log: Path) -> list[tuple[int, int]]:
    return list(ENTRY.iter_unpack(index_of(log).read_bytes()))


def test_a_log_is_the_users_alone_and_made_with_its_first_output(
    tmp_path: Path,
) -> None:
    path = tmp_path / "jobs" / "1" / "log"
    log = LogWriter(path)
    assert not path.parent.exists()
    log.write(b"x")
    log.close()
    for each in (path, index_of(path)):
        assert each.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_the_index_grows_once_a_second_at_most(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log = LogWriter(path)
    begun = datetime.now(UTC).timestamp()
    for _ in range(5000):
        log.write(b"x")
    log.close()
    taken = datetime.now(UTC).timestamp() - begun
    found = entries(path)
    assert found[0][1] == 0
    assert begun * 1000 - 1 <= found[0][0] <= begun * 1000 + 1000
    assert 1 <= len(found) <= taken + 1
    assert all(b[0] - a[0] >= 1000 and b[1] > a[1] for a, b in pairwise(found))


def test_a_log_goes_on_where_an_earlier_writer_ended(tmp_path: Path) -> None:
    path = tmp_path / "log"
    for text in (b"one", b"two"):
        log = LogWriter(path)
        log.write(text)
        log.close()
    assert path.read_bytes() == b"onetwo"
    assert [offset for _, offset in entries(path)] == [0, 3]


def test_a_full_disk_does_not_end_the_program(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.symlink_to("/dev/full")
    log = LogWriter(path)
    log.write(b"lost")
    log.close()


def test_without_a_folder_for_it_output_is_lost_and_no_more(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    log = LogWriter(tmp_path / "file" / "log")
    log.write(b"lost")
    log.close()


# --- reading --------------------------------------------------------------------------


def test_a_range_of_a_log(tmp_path: Path) -> None:
    path = tmp_path / "log"
    assert (log_files.size(path), log_files.read_range(path, 0, 10)) == (0, b"")
    path.write_bytes(b"0123456789")
    assert log_files.size(path) == 10
    assert log_files.read_range(path, 3, 4) == b"3456"
    assert log_files.read_range(path, 8, 100) == b"89"
    assert log_files.read_range(path, 10, 100) == b""
    assert log_files.read_range(path, 99, 100) == b""


@given(
    st.lists(st.text("xy", max_size=3)),
    st.booleans(),
    st.integers(0, 12),
    st.sampled_from([1, 3, 7, 1 << 16]),
)
def test_the_last_lines_are_those_of_tail(
    lines: list[str], whole: bool, count: int, block: int
) -> None:
    text = "\n".join(lines) + ("\n" if whole else "")
    kept = text.splitlines(keepends=True)
    with in_memory(text.encode()) as path:
        at = log_files.tail_offset(path, count, block)
    assert text[at:] == "".join(kept[max(0, len(kept) - count) :])


@contextmanager
def in_memory(data: bytes) -> Iterator[Path]:
    """A file without a disk: fast enough for many examples."""
    file = os.memfd_create("log")
    os.write(file, data)
    try:
        yield Path(f"/proc/self/fd/{file}")
    finally:
        os.close(file)


def indexed(folder: Path, *entries: tuple[float, int], size: int) -> Path:
    path = folder / "log"
    path.write_bytes(b"x" * size)
    packed = [ENTRY.pack(int(at * 1000), offset) for at, offset in entries]
    index_of(path).write_bytes(b"".join(packed))
    return path


@pytest.mark.parametrize(
    ("epoch_s", "offset"),
    [
        (0.0, 0),
        (99.9, 0),
        # Written in the second that began at 100.
        (100.9, 0),
        (101.0, 50),
        (200.5, 50),
        # In the long silence before 500.
        (203.0, 80),
        (500.0, 80),
        (501.5, 90),
    ],
)
def test_what_was_written_since(tmp_path: Path, epoch_s: float, offset: int) -> None:
    path = indexed(tmp_path, (100.0, 0), (200.0, 50), (500.0, 80), size=90)
    assert log_files.offset_since(path, epoch_s) == offset


def test_an_index_that_is_cut_or_missing(tmp_path: Path) -> None:
    path = indexed(tmp_path, (100.0, 0), (200.0, 50), size=90)
    with index_of(path).open("ab") as index:
        index.write(b"torn")
    assert log_files.offset_since(path, 150.0) == 50
    index_of(path).unlink()
    assert log_files.offset_since(path, 150.0) == 90
    assert log_files.offset_since(tmp_path / "no", 150.0) == 0
