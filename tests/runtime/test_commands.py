"""Commands through real keepers and shims: how they start, run, print and end."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from orchestrator.lifecycle.key import JobKey
from orchestrator.runtime.commands import start
from orchestrator.runtime.commands.spec import CommandEnd
from tests.runtime.command_node import (
    CommandNode,
    command_node,
    shell,
    spec_of,
    with_env,
)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[CommandNode]:
    with command_node(tmp_path) as running:
        yield running


def how(end: CommandEnd) -> tuple[int | None, int | None]:
    assert not end.error
    return end.exit_code, end.signal


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("true", (0, None)),
        ("exit 7", (7, None)),
        ("false | true", (1, None)),
        ("kill -TERM $$", (None, signal.SIGTERM)),
        ("kill -SEGV $$", (None, signal.SIGSEGV)),
    ],
)
def test_the_end_is_told_as_it_was(
    node: CommandNode, script: str, expected: tuple[int | None, int | None]
) -> None:
    end = node.run(shell(1, script))
    assert how(end) == expected
    assert end.started_at <= end.ended_at < end.started_at + 20


@pytest.mark.parametrize(
    ("program", "code"), [("no-such-program", 127), ("/etc/hostname", 126)]
)
def test_what_cannot_be_started_is_told_as_a_shell_does(
    node: CommandNode, program: str, code: int
) -> None:
    spec = spec_of(1, program)
    assert how(node.run(spec)) == (code, None)
    assert f"orch: {program}: " in node.log(spec).decode()


def test_both_streams_go_to_the_log_in_order(node: CommandNode) -> None:
    spec = shell(1, "echo one; echo two >&2; echo three; printf four")
    node.run(spec)
    assert node.log(spec) == b"one\ntwo\nthree\nfour"


def test_output_is_kept_byte_by_byte(node: CommandNode) -> None:
    code = "import os; [os.write(1, bytes(range(256))) for _ in range(3000)]"
    spec = spec_of(1, sys.executable, "-c", code)
    node.run(spec)
    assert node.log(spec) == bytes(range(256)) * 3000


def test_it_has_nothing_to_read_and_its_own_group(node: CommandNode) -> None:
    spec = shell(1, "cat; ps -o pgid= -p $$ | tr -d ' '; echo $$")
    node.run(spec)
    group, pid = node.log(spec).split()
    assert group == pid


def test_its_environment_is_the_nodes_without_rays(
    node: CommandNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", "/secret")
    monkeypatch.setenv("RAY_JOB_ID", "1")
    monkeypatch.setenv("TMPDIR", "/tmp/orch-ray-x")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("NODES_OWN", "kept")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    spec = with_env(spec_of(42, "env", "-0"), MINE="a\nb", PYTHONUNBUFFERED="")
    spec = replace(spec, env={**spec.env, "CUDA_VISIBLE_DEVICES": "3"})
    node.run(spec)
    pairs = node.log(spec).decode().rstrip("\0").split("\0")
    found = dict(pair.split("=", 1) for pair in pairs)
    assert [name for name in found if name.startswith("RAY_")] == []
    assert not found.keys() & {"TMPDIR", "OMP_NUM_THREADS"}
    assert found["NODES_OWN"] == "kept"
    assert found["MINE"] == "a\nb"
    assert found["PYTHONUNBUFFERED"] == ""
    assert found["CUDA_VISIBLE_DEVICES"] == ""
    assert (found["ORCH_JOB_KEY"], found["ORCH_ATTEMPT"]) == ("42", "1")


def test_it_sees_the_gpus_that_it_was_given(node: CommandNode) -> None:
    spec = shell(1, "echo $CUDA_VISIBLE_DEVICES $CUDA_DEVICE_ORDER")
    node.run(replace(spec, gpus=("GPU-a", "GPU-b")))
    assert node.log(spec) == b"GPU-a,GPU-b PCI_BUS_ID\n"


def test_signals_and_masks_are_as_a_program_expects(node: CommandNode) -> None:
    blocked = {signal.SIGINT, signal.SIGTERM}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, blocked)
    try:
        spec = shell(1, "grep -E '^Sig(Blk|Ign)' /proc/self/status")
        node.run(spec)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    # The two above those of signal.h are the C library's own.
    standard = (1 << 31) - 1
    masks = [int(line.split()[1], 16) for line in node.log(spec).splitlines()]
    assert [mask & standard for mask in masks] == [0, 0]


# --- once, and only once --------------------------------------------------------------


def test_a_second_start_starts_nothing(node: CommandNode) -> None:
    spec = shell(1, "echo ran; read -t 60 < <(sleep 60)")
    pid = node.start(spec)
    assert pid == node.start(spec) > 0
    node.wait_log(spec, b"ran")
    assert node.commands.signal((spec.key, 1), signal.SIGTERM)
    assert how(node.ended(spec)) == (None, signal.SIGTERM)
    assert node.start(spec) == 0
    assert node.log(spec) == b"ran\n"


def test_another_attempt_is_another_command(node: CommandNode) -> None:
    for attempt in (1, 2):
        assert how(node.run(shell(1, f"exit {attempt}", attempt))) == (attempt, None)


def test_an_end_that_was_never_told_is_told_by_the_next_agent(tmp_path: Path) -> None:
    spec = shell(1, "echo x >> ran; exit 3")
    with command_node(tmp_path) as first:
        told = first.run(spec)
        life = first.news().life
    with command_node(tmp_path) as second:
        assert second.news().life != life
        assert second.news().ended == ()
        assert second.start(spec) == 0
        assert second.news().ended == (told,)
    assert (tmp_path / "jobs" / "1" / "workdir" / "ran").read_text() == "x\n"


def test_an_attempt_is_never_begun_by_two_agents(tmp_path: Path) -> None:
    spec = shell(1, "echo x >> ran; echo up; sleep 1000")
    with command_node(tmp_path) as first:
        first.start(spec)
        first.wait_log(spec, b"up")
    with command_node(tmp_path) as second:
        assert second.start(spec) == 0
        (end,) = second.news().ended
    assert end.lost
    assert (tmp_path / "jobs" / "1" / "workdir" / "ran").read_text() == "x\n"


def test_the_end_is_on_disk_before_it_is_told(node: CommandNode) -> None:
    spec = shell(1, "exit 3")
    end = node.run(spec)
    written = json.loads((node.state / spec.folder / "exit.json").read_text())
    assert written["exit_code"] == end.exit_code == 3
    assert written["ended_at"] == end.ended_at


def test_the_ended_stay_until_they_are_forgotten(node: CommandNode) -> None:
    specs = [shell(n, f"exit {n}") for n in (1, 2)]
    for spec in specs:
        node.run(spec)
    assert [end.exit_code for end in node.news().ended] == [1, 2]
    node.commands.forget([(JobKey(1), 1), (JobKey(9), 1)])
    assert [end.exit_code for end in node.news().ended] == [2]


def test_what_runs_is_in_the_news_and_cannot_be_forgotten(node: CommandNode) -> None:
    spec = shell(1, "sleep 60")
    pid = node.start(spec)
    node.commands.forget([(spec.key, 1)])
    (running,) = node.news().running
    assert (running.key, running.attempt, running.pid) == (spec.key, 1, pid)
    assert psutil.Process(pid).is_running()


# --- the keeper -----------------------------------------------------------------------


def test_the_keeper_is_light() -> None:
    script = (
        f"import sys; sys.argv = [{start.__file__!r}]\n"
        "import importlib.util as u\n"
        f"spec = u.spec_from_file_location('start', {start.__file__!r})\n"
        "module = u.module_from_spec(spec); spec.loader.exec_module(module)\n"
        "module.main()\n"
        "print(*sorted(sys.modules))\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", script],
        stdin=_hung_up(),
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert "orchestrator" in loaded
    assert loaded - {"orchestrator", "__main__"} <= sys.stdlib_module_names


def test_the_keeper_takes_little_memory(node: CommandNode) -> None:
    node.run(shell(1, "true"))
    assert node.keeper.memory_info().rss <= 20e6


def _hung_up() -> int:
    ours, theirs = socket.socketpair()
    ours.close()
    return theirs.detach()
