"""The code that a command runs in: unpacked once a job, within its folder."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.errors import Code, OrchError
from orchestrator.runtime.commands.snapshots import Snapshots
from orchestrator.runtime.commands.spec import CommandEnd, Snapshot
from tests.runtime.command_node import CommandNode, command_node, shell


@pytest.fixture
def node(tmp_path: Path) -> Iterator[CommandNode]:
    with command_node(tmp_path) as running:
        yield running


def how(end: CommandEnd) -> tuple[int | None, int | None]:
    assert not end.error
    return end.exit_code, end.signal


def snapshot_of(folder: Path, files: dict[str, str]) -> Path:
    path = folder / "code.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(text), 0o755
            archive.addfile(info, io.BytesIO(text.encode()))
    return path


def test_it_runs_in_the_code_that_was_submitted(
    node: CommandNode, tmp_path: Path
) -> None:
    files = {"say.sh": "#!/bin/sh\necho said; pwd", "sub/data.txt": "data"}
    code = snapshot_of(tmp_path, files)
    spec = shell(7, "./say.sh; cat sub/data.txt")
    assert how(node.run(spec, code)) == (0, None)
    workdir = tmp_path / "jobs" / "7" / "workdir"
    assert node.log(spec).decode() == f"said\n{workdir}\ndata"
    assert node.start(replace(shell(8, "pwd"), cwd="sub"), code) >= 0
    assert how(node.ended(shell(8, ""))) == (0, None)
    assert node.log(shell(8, "")).decode() == f"{tmp_path}/jobs/8/workdir/sub\n"


def test_an_attempt_finds_what_the_one_before_it_left(
    node: CommandNode, tmp_path: Path
) -> None:
    code = snapshot_of(tmp_path, {"a.txt": "a"})
    node.run(shell(7, "echo more >> a.txt"), code)
    again = shell(7, "cat a.txt", attempt=2)
    node.run(again, code)
    assert node.log(again) == b"amore\n"


@pytest.mark.parametrize(
    ("name", "says"),
    [("../out.txt", "OutsideDestinationError"), ("/etc/../../x", "Outside")],
)
def test_code_cannot_be_unpacked_outside_its_folder(
    node: CommandNode, tmp_path: Path, name: str, says: str
) -> None:
    end = node.run(shell(7, "true"), snapshot_of(tmp_path, {name: "x"}))
    assert (end.exit_code, end.signal, end.lost) == (None, None, False)
    assert says in end.error
    assert not (tmp_path / "jobs" / "7" / "out.txt").exists()


def test_broken_code_is_the_end_of_the_command_alone(
    node: CommandNode, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.tar.gz"
    broken.write_bytes(snapshot_of(tmp_path, {"a": "a" * 5000}).read_bytes()[:40])
    end = node.run(shell(7, "true"), broken)
    assert end.error
    assert not (tmp_path / "jobs" / "7" / "workdir").exists()
    assert how(node.run(shell(8, "true"))) == (0, None)


def test_what_was_cut_short_while_unpacking_is_unpacked_anew(
    node: CommandNode, tmp_path: Path
) -> None:
    half = tmp_path / "jobs" / "7" / "workdir.new"
    half.mkdir(parents=True)
    (half / "left").write_text("")
    spec = shell(7, "ls")
    node.run(spec, snapshot_of(tmp_path, {"a": "a"}))
    assert node.log(spec) == b"a\n"


def test_a_folder_that_is_not_there_is_said(node: CommandNode) -> None:
    spec = replace(shell(7, "true"), cwd="nowhere")
    assert how(node.run(spec)) == (127, None)
    assert b"nowhere" in node.log(spec)


# --- snapshots of another node --------------------------------------------------------


def test_code_is_kept_by_its_hash(tmp_path: Path) -> None:
    snapshots = Snapshots(tmp_path / "snapshots")
    name = hashlib.sha256(b"code").hexdigest()
    snapshot = Snapshot(name, str(tmp_path / "on-the-head"))
    with pytest.raises(OrchError) as caught:
        snapshots.find(snapshot)
    assert caught.value.fault.code is Code.FILE_NOT_FOUND
    snapshots.put(name, b"code")
    assert snapshots.find(snapshot).read_bytes() == b"code"
    (tmp_path / "on-the-head").write_bytes(b"here")
    assert snapshots.find(snapshot).read_bytes() == b"here"
    assert [path.suffix for path in (tmp_path / "snapshots").iterdir()] == [".gz"]


def test_other_bytes_than_the_hashs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(OrchError) as caught:
        Snapshots(tmp_path).put("0" * 64, b"code")
    assert caught.value.fault.code is Code.BAD_VALUE
    assert list(tmp_path.iterdir()) == []


def test_code_that_comes_several_times_at_once_is_whole(tmp_path: Path) -> None:
    snapshots, code = Snapshots(tmp_path / "snapshots"), bytes(range(256)) * 8192
    sha256 = hashlib.sha256(code).hexdigest()

    def put(_: int) -> bytes:
        snapshots.put(sha256, code)
        return snapshots.find(Snapshot(sha256, "/elsewhere")).read_bytes()

    with ThreadPoolExecutor(8) as pool:
        assert all(seen == code for seen in pool.map(put, range(64)))
    assert len(list((tmp_path / "snapshots").iterdir())) == 1


def test_what_another_job_of_its_number_left_is_not_its_own(
    node: CommandNode, tmp_path: Path
) -> None:
    old = replace(shell(7, "echo old | tee left"), run="a run of another database")
    assert how(node.run(old)) == (0, None)
    node.commands.forget([(old.key, old.attempt)])
    new = replace(shell(7, "test ! -e left; exit 3"), run="this one")
    assert how(node.run(new)) == (3, None)
    assert node.log(new) == b""
    again = replace(shell(7, "echo again", attempt=2), run="this one")
    assert how(node.run(again)) == (0, None)
    assert (tmp_path / new.folder / "exit.json").exists()
    (aside,) = (tmp_path / "jobs").glob("7-before-*")
    assert (aside / "workdir" / "left").read_text() == "old\n"
