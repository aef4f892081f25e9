from __future__ import annotations

import gzip
import hashlib
import os
import tarfile
import threading
import zlib
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.client.snapshot import take_snapshot
from orchestrator.controller.snapshots import Snapshots, check_archive
from orchestrator.errors import Code, OrchError
from orchestrator.units import MIB


def sha(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def refusal(act: Callable[[], object]) -> Code | None:
    try:
        act()
    except OrchError as error:
        return error.fault.code
    return None


def member(
    name: str,
    kind: bytes = tarfile.REGTYPE,
    target: str = "",
    size: int = 0,
) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, target, size
    return info


def archive(*members: tarfile.TarInfo) -> bytes:
    """A tar.gz; what its files hold is zeros, however much it is."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    packed = bytearray()
    for info in members:
        packed += packer.compress(info.tobuf(tarfile.PAX_FORMAT))
        for start in range(0, -(-info.size // 512) * 512, MIB):
            left = -(-info.size // 512) * 512 - start
            packed += packer.compress(bytes(min(left, MIB)))
    return bytes(packed) + packer.compress(bytes(1024)) + packer.flush()


GOOD = archive(
    member("a", tarfile.DIRTYPE),
    member("a/b.py", size=700),
    member("a/link", tarfile.SYMTYPE, "../a/b.py"),
    member("é" * 300),
)


@pytest.fixture
def snapshots(tmp_path: Path) -> Snapshots:
    return Snapshots(tmp_path / "snapshots")


def test_what_was_put_is_there_also_after_a_restart(
    snapshots: Snapshots, tmp_path: Path
) -> None:
    assert not snapshots.has(sha(GOOD))
    snapshots.put(sha(GOOD), GOOD)
    snapshots.put(sha(GOOD), GOOD)
    again = Snapshots(tmp_path / "snapshots")
    assert again.has(sha(GOOD))
    assert again.path(sha(GOOD)).read_bytes() == GOOD


def test_what_the_client_packs_is_taken(snapshots: Snapshots, tmp_path: Path) -> None:
    folder = tmp_path / "work"
    (folder / "deep/deeper").mkdir(parents=True)
    (folder / "deep" / ("ü" * 100)).write_text("x" * 3000)
    (folder / os.fsdecode(b"\xff\xfe")).touch()
    (folder / "deep/link").symlink_to("deeper")
    (folder / "up").symlink_to("deep/../deep")
    packed = take_snapshot(folder)
    snapshots.put(packed.sha256, packed.data)
    assert snapshots.has(packed.sha256)


@pytest.mark.parametrize(
    "text",
    [
        *("", "..", "../" * 20 + "etc/passwd", "/etc/passwd", "a" * 63, "a" * 65),
        *("A" * 64, "g" * 64, "a" * 64 + "\n", "a" * 64 + "\0", "٣" * 64),
        *("../" + "a" * 61, "a" * 60 + "/../"),
    ],
)
def test_a_name_that_is_no_hash_leads_nowhere(
    text: str, snapshots: Snapshots, tmp_path: Path
) -> None:
    asks: list[Callable[[], object]] = [
        lambda: snapshots.path(text),
        lambda: snapshots.has(text),
        lambda: snapshots.put(text, GOOD),
    ]
    for ask in asks:
        assert refusal(ask) is Code.BAD_VALUE
    assert list(tmp_path.rglob("*")) == [tmp_path / "snapshots"]


@given(st.text())
def test_no_text_but_a_hash_is_a_place(text: str) -> None:
    with TemporaryDirectory() as folder:
        snapshots = Snapshots(Path(folder))
        assert refusal(lambda: snapshots.path(text)) is Code.BAD_VALUE


def test_another_hash_is_refused(snapshots: Snapshots) -> None:
    with pytest.raises(OrchError, match="another hash"):
        snapshots.put(sha(b"other"), GOOD)
    assert not snapshots.has(sha(b"other"))


@pytest.mark.parametrize(
    ("members", "why"),
    [
        ([member("/etc/cron.d/x")], "no place inside"),
        ([member("../x")], "no place inside"),
        ([member("a/../../x")], "no place inside"),
        ([member("a/./x")], "no place inside"),
        ([member("..")], "no place inside"),
        ([member("x"), member("x")], "no place inside"),
        ([member("x", tarfile.CHRTYPE)], "neither a file"),
        ([member("x", tarfile.BLKTYPE)], "neither a file"),
        ([member("x", tarfile.FIFOTYPE)], "neither a file"),
        ([member("x", tarfile.LNKTYPE, "y")], "neither a file"),
        ([member("x", tarfile.CONTTYPE)], "neither a file"),
        ([member("x", tarfile.SYMTYPE, "/etc")], "leads out"),
        ([member("x", tarfile.SYMTYPE, "..")], "leads out"),
        ([member("a/x", tarfile.SYMTYPE, "../../a")], "leads out"),
        (
            [member("x", tarfile.SYMTYPE, "a"), member("x/b")],
            "behind a link",
        ),
    ],
)
def test_members_that_could_do_harm_are_refused(
    members: list[tarfile.TarInfo], why: str, snapshots: Snapshots
) -> None:
    body = archive(member("first"), *members)
    with pytest.raises(OrchError, match=why) as error:
        snapshots.put(sha(body), body)
    assert error.value.fault.code is Code.BAD_VALUE
    assert not snapshots.has(sha(body))


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"x", gzip.compress(b""), gzip.compress(b"not a tar" * 200)),
        *(GOOD[:-20], GOOD[: len(GOOD) // 2], b"\0" + GOOD, bytes(2048)),
        gzip.decompress(GOOD),
        archive(member("a", size=900))[:-20],
    ],
)
def test_what_is_no_whole_archive_is_refused(body: bytes) -> None:
    assert refusal(lambda: check_archive(body)) is Code.BAD_VALUE


@pytest.mark.parametrize(
    ("members", "why"),
    [
        ([member("a", size=5 * MIB)], "more than 4 MiB"),
        ([member("a", size=3 * MIB), member("b", size=3 * MIB)], "more than 4 MiB"),
        ([member("a", tarfile.XHDTYPE, size=3 * MIB)], "too long"),
        ([member("a", tarfile.GNUTYPE_LONGNAME, size=3 * MIB)], "too long"),
        ([member(f"{n}") for n in range(101)], "more than 100 members"),
    ],
)
def test_bombs_are_refused(members: list[tarfile.TarInfo], why: str) -> None:
    with pytest.raises(OrchError, match=why):
        check_archive(archive(*members), limit_bytes=4 * MIB, max_members=100)


def test_the_limits_themselves_are_within_them() -> None:
    members = [member(f"{n}", size=MIB) for n in range(4)]
    check_archive(archive(*members), limit_bytes=4 * MIB, max_members=4)


def test_a_gibibyte_is_the_limit_unasked(snapshots: Snapshots) -> None:
    said = member("a", size=1025 * MIB).tobuf(tarfile.PAX_FORMAT)
    body = gzip.compress(said + bytes(1024))
    with pytest.raises(OrchError, match=r"more than 1\.0 GiB"):
        snapshots.put(sha(body), body)


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_a_damaged_archive_is_taken_or_refused_and_nothing_else(
    data: st.DataObject,
) -> None:
    plain = bytearray(gzip.decompress(GOOD))
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, len(plain) - 1))
        plain[at] = data.draw(st.integers(0, 255))
    # With a right sum in each header, more gets through to what comes after.
    for start in range(0, len(plain), 512):
        block = plain[start : start + 512]
        if block[257:262] == b"ustar":
            total = sum(block[:148]) + sum(block[156:]) + 8 * 32
            plain[start + 148 : start + 156] = b"%06o\0 " % total
    said = refusal(lambda: check_archive(gzip.compress(bytes(plain), 1)))
    assert said in (None, Code.BAD_VALUE)


def test_only_what_no_job_needs_and_nobody_asked_for_lately_goes(
    snapshots: Snapshots,
) -> None:
    bodies = [archive(member(name)) for name in ("old", "kept", "asked", "new")]
    old, kept, asked, new = (sha(body) for body in bodies)
    for body in bodies:
        snapshots.put(sha(body), body)
    for key in (old, kept, asked):
        os.utime(snapshots.path(key), (0, 0))
    assert snapshots.has(asked)
    assert snapshots.drop_unused({kept}) == 1
    assert [snapshots.has(key) for key in (old, kept, asked, new)] == [
        *(False, True, True, True)
    ]
    assert snapshots.drop_unused(set(), unused_s=-1) == 3


def test_a_crash_while_it_is_written_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / f"{sha(GOOD)}.tar.gz.tmp").write_bytes(GOOD[:30])
    snapshots = Snapshots(tmp_path)
    assert not snapshots.has(sha(GOOD))
    assert list(tmp_path.iterdir()) == []


def test_many_may_put_the_same_at_once(snapshots: Snapshots) -> None:
    torn: list[bytes] = []

    def put() -> None:
        snapshots.put(sha(GOOD), GOOD)
        if snapshots.path(sha(GOOD)).read_bytes() != GOOD:
            torn.append(b"")

    threads = [threading.Thread(target=put) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert torn == []
    with tarfile.open(snapshots.path(sha(GOOD))) as whole:
        assert len(whole.getnames()) == 4
