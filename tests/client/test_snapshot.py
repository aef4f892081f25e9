from __future__ import annotations

import hashlib
import io
import os
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given, settings

from orchestrator.client.snapshot import Snapshot, take_snapshot
from orchestrator.client.tree import Kind, walk
from orchestrator.errors import Code, Fault, OrchError
from tests.client.trees import Tree, trees, write_tree


def unpack(snapshot: Snapshot, folder: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(snapshot.data), mode="r:gz") as archive:
        archive.extractall(folder, filter="data")


def names(snapshot: Snapshot) -> set[str]:
    with tarfile.open(fileobj=io.BytesIO(snapshot.data), mode="r:gz") as archive:
        return set(archive.getnames())


def shape(folder: Path) -> dict[str, object]:
    """Everything in a folder that is to survive."""
    found: dict[str, object] = {}
    for entry in walk(folder):
        match entry.kind:
            case Kind.FILE:
                executable = entry.path.stat().st_mode & 0o111
                found[entry.name] = (entry.path.read_bytes(), executable)
            case Kind.LINK:
                found[entry.name] = entry.path.readlink()
            case Kind.FOLDER:
                found[entry.name] = "folder"
    return found


def refused(folder: Path, limit_bytes: int = 1000) -> Fault:
    with pytest.raises(OrchError) as error:
        take_snapshot(folder, limit_bytes=limit_bytes)
    return error.value.fault


@given(trees)
@settings(max_examples=60, deadline=None)
def test_unpacked_it_is_what_was_packed(tree: Tree) -> None:
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        write_tree(Path(one), tree)
        snapshot = take_snapshot(Path(one))
        unpack(snapshot, Path(two))
        assert shape(Path(two)) == shape(Path(one))
        assert snapshot.sha256 == hashlib.sha256(snapshot.data).hexdigest()
        assert take_snapshot(Path(two)) == snapshot


def test_equal_content_has_one_hash_whatever_times_owners_and_order(
    tmp_path: Path,
) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for folder, order in ((one, range(20)), (two, reversed(range(20)))):
        folder.mkdir()
        for number in order:
            file = folder / f"f{number}"
            file.write_text(str(number))
            mode = 0o600 if folder is one else 0o664
            file.chmod(mode)
            os.utime(file, (number, number if folder is one else 1.7e9))
    before = take_snapshot(one)
    assert take_snapshot(two).sha256 == before.sha256
    (two / "f3").chmod(0o700)
    changed = take_snapshot(two)
    assert changed.sha256 != before.sha256
    assert (changed.files, changed.size_bytes) == (20, 30)


def test_empty_folders_travel_and_sockets_and_pipes_do_not(tmp_path: Path) -> None:
    (tmp_path / "logs/old").mkdir(parents=True)
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket"))
        assert names(take_snapshot(tmp_path)) == {"logs", "logs/old"}


@pytest.mark.parametrize(
    ("link", "target", "kept"),
    [
        ("link", "code/a.py", "code/a.py"),
        ("code/link", "../code/a.py", "../code/a.py"),
        ("link", "code", "code"),
        ("link", ".", "."),
        ("link", "gone", "gone"),
        ("link", "{root}/code/a.py", "code/a.py"),
        ("code/link", "{root}", ".."),
        ("link", "deep/../../code", "code"),
    ],
)
def test_a_link_inside_leads_to_the_same_place(
    link: str, target: str, kept: str, tmp_path: Path
) -> None:
    (tmp_path / "code/more").mkdir(parents=True)
    (tmp_path / "code/a.py").touch()
    (tmp_path / "deep").symlink_to("code/more")
    (tmp_path / link).symlink_to(target.format(root=tmp_path))
    with tarfile.open(fileobj=io.BytesIO(take_snapshot(tmp_path).data)) as archive:
        assert archive.getmember(link).linkname == kept


@pytest.mark.parametrize("target", ["/etc/hostname", "../outside", "loop/../../x"])
def test_a_link_that_leads_out_is_named(target: str, tmp_path: Path) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "loop").symlink_to(".")
    (folder / "data").symlink_to(target)
    fault = refused(folder)
    assert fault.code is Code.BAD_VALUE
    assert fault.message.endswith(": data")
    assert fault.facts[0].startswith("data -> ")
    (folder / ".gitignore").write_text("data\n")
    assert names(take_snapshot(folder)) == {".gitignore", "loop"}


def test_an_outside_folder_is_not_walked_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "big").mkdir()
    (tmp_path / "big/file").write_bytes(bytes(5000))
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "a").symlink_to("../big")
    assert "leads out" in refused(folder).message


def test_the_jobs_own_output_stays(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    folder = tmp_path / "work"
    write_tree(folder.parent, {b"work": {b"out": {b"1": {}}, b"a": {b"out": {}}}})
    assert names(take_snapshot(folder, leave_out=[folder / "out/{id}/x"])) == {
        *("a", "a/out")
    }
    shutil.rmtree(folder / "out")
    (folder / "out").symlink_to("../elsewhere")
    assert "out" not in names(take_snapshot(folder, leave_out=[folder / "out"]))


@pytest.mark.parametrize("place", [".", ".."])
def test_an_output_folder_around_the_folder_leaves_nothing_out(
    place: str, tmp_path: Path
) -> None:
    (tmp_path / "a").touch()
    assert names(take_snapshot(tmp_path, leave_out=[tmp_path / place])) == {"a"}


def test_too_much_names_the_five_largest_and_the_way_out(tmp_path: Path) -> None:
    for number in range(1, 8):
        (tmp_path / f"f{number}").write_bytes(os.urandom(number << 20))
    fault = refused(tmp_path, 20 << 20)
    assert "holds 28 MiB; at most 20 MiB" in fault.message
    assert fault.facts == tuple(f"{n} MiB  f{n}" for n in (7, 6, 5, 4, 3))
    assert ".orchignore" in fault.fix
    (tmp_path / ".orchignore").write_text("f7\nf6\n")
    assert take_snapshot(tmp_path, limit_bytes=20 << 20).files == 6


def test_as_much_as_the_limit_travels_if_it_is_not_more_when_packed(
    tmp_path: Path,
) -> None:
    (tmp_path / "f").write_bytes(bytes(1000))
    assert take_snapshot(tmp_path, limit_bytes=1000).size_bytes == 1000
    (tmp_path / "f").write_bytes(bytes(1001))
    assert refused(tmp_path).code is Code.BAD_VALUE
    (tmp_path / "f").write_bytes(os.urandom(1000))
    assert refused(tmp_path).code is Code.BAD_VALUE


@pytest.mark.parametrize("folder", ["gone", "file", "file/gone"])
def test_no_folder_is_not_found(folder: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert refused(tmp_path / folder).code is Code.FILE_NOT_FOUND


_TAKE = """
import sys
from pathlib import Path
from orchestrator.client.snapshot import take_snapshot
from orchestrator.errors import OrchError
try:
    take_snapshot(Path(sys.argv[1]))
except OrchError as error:
    sys.exit(str(error))
"""


def take_in_child(folder: Path) -> str:
    """What a process says that may read no more than the modes allow."""
    command = [sys.executable, "-c", _TAKE, str(folder)]
    if os.geteuid() == 0:
        # Root reads everything by a right that it can do without.
        rights = "-dac_override,-dac_read_search"
        command = ["setpriv", f"--bounding-set={rights}", *command]
    ended = subprocess.run(command, check=False, stderr=subprocess.PIPE, text=True)
    return ended.stderr


@pytest.mark.parametrize("secret", ["file", "folder", ".gitignore", "code/.orchignore"])
def test_what_cannot_be_read_is_named_unless_ignored(
    secret: str, tmp_path: Path
) -> None:
    write_tree(tmp_path, {b"folder": {}, b"code": {}})
    if secret != "folder":
        (tmp_path / secret).touch()
    (tmp_path / secret).chmod(0)
    said = take_in_child(tmp_path)
    assert said.startswith(f"E204 '{tmp_path / secret}' cannot be read")
    (tmp_path / ".orchignore").write_text("file\nfolder\ncode\n")
    if secret != ".gitignore":
        assert take_in_child(tmp_path) == ""


def test_files_that_come_go_and_grow_meanwhile_do_no_harm(tmp_path: Path) -> None:
    ended = threading.Event()

    def disturb() -> None:
        number = 0
        while not ended.is_set():
            number += 1
            folder = tmp_path / f"d{number % 7}"
            folder.mkdir(exist_ok=True)
            for name in ("a", "b", "c"):
                (folder / name).write_bytes(bytes(number % 5000))
            (folder / "a").unlink()
            os.mkfifo(folder / "a")
            shutil.rmtree(folder)

    disturber = threading.Thread(target=disturb)
    disturber.start()
    try:
        seen: dict[str, Snapshot] = {}
        while len(seen) < 30:
            snapshot = take_snapshot(tmp_path)
            seen[snapshot.sha256] = snapshot
    finally:
        ended.set()
        disturber.join()
    for snapshot in seen.values():
        assert names(snapshot) <= {
            *(f"d{n}{name}" for n in range(7) for name in ("", "/a", "/b", "/c"))
        }


def test_five_thousand_files_take_less_than_a_second_and_none_nearly_none(
    tmp_path: Path,
) -> None:
    (tmp_path / "empty").mkdir()
    for folder in range(100):
        (tmp_path / f"code/d{folder}").mkdir(parents=True)
        for file in range(50):
            path = tmp_path / f"code/d{folder}/f{file}.py"
            path.write_bytes(b"import torch\n" * 100)
    assert _fastest_s(tmp_path / "empty") <= 0.01
    assert _fastest_s(tmp_path / "code") <= 1.0


def _fastest_s(folder: Path) -> float:
    """Of three: the machine may have other work."""
    times = []
    for _ in range(3):
        before = time.process_time()
        take_snapshot(folder)
        times.append(time.process_time() - before)
    return min(times)
