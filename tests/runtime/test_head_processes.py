"""What belongs to a head is known by pid: with plain processes, no Ray."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import psutil
import pytest

from orchestrator.errors import Code, OrchError
from orchestrator.runtime.head import (
    HEAD_FILE,
    Head,
    free_port,
    make_token,
    read_head,
    spawn,
    wait_for_text,
)

STUBBORN = """
import signal, subprocess, sys, threading
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if len(sys.argv) > 1:
    subprocess.Popen([sys.executable, "-c", sys.argv[1]])
else:
    print("ready", flush=True)
threading.Event().wait()
"""


@contextmanager
def stubborn_pair() -> Iterator[psutil.Process]:
    """A process and its child; both ignore SIGTERM."""
    command = [sys.executable, "-c", STUBBORN, STUBBORN]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"ready\n"
        process = psutil.Process(parent.pid)
        family = [process, *process.children()]
        try:
            yield process
        finally:
            for member in family:
                if member.is_running():
                    member.kill()


def head_of(process: psutil.Process, later_s: float = 0.0) -> Head:
    created = process.create_time() + later_s
    return Head(process.pid, created, "127.0.0.1:1", "http://127.0.0.1:2", "/nowhere")


def test_stop_ends_the_whole_family_even_a_stubborn_one() -> None:
    with stubborn_pair() as process:
        family = [process, *process.children()]
        assert len(family) == 2
        head = head_of(process)
        assert head.alive()
        head.stop(timeout_s=0.2)
        assert not any(member.is_running() for member in family)
        assert not head.alive()
        head.stop()


def test_another_process_with_its_pid_is_left_alone(tmp_path: Path) -> None:
    with stubborn_pair() as process:
        old = head_of(process, later_s=-3600)
        assert not old.alive()
        old.stop(timeout_s=0.2)
        assert process.is_running()
        (tmp_path / HEAD_FILE).write_text(json.dumps(asdict(old)))
        assert read_head(tmp_path) is None
        now = head_of(process)
        (tmp_path / HEAD_FILE).write_text(json.dumps(asdict(now)))
        assert read_head(tmp_path) == now


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 1}', '{"pid": 1, "x": 2}'])
def test_a_broken_head_file_is_no_head(tmp_path: Path, text: str) -> None:
    assert read_head(tmp_path) is None
    (tmp_path / HEAD_FILE).write_text(text)
    assert read_head(tmp_path) is None


def test_the_token_is_made_once_and_for_the_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "state" / "token"
    before = os.umask(0)
    try:
        token = make_token(path)
    finally:
        os.umask(before)
    assert len(token) == 64
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert make_token(path) == token


def test_a_free_port_is_the_preferred_one_unless_it_is_taken() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        assert free_port(port) != port
    assert free_port(port) == port


def test_a_process_that_says_the_word_is_up(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "log"
    code = "import os, threading; print('hello', os.environ['WHO'], flush=True)"
    code += "; threading.Event().wait()"
    process = spawn([sys.executable, "-c", code], log, {"WHO": "you"})
    assert wait_for_text(process, log, "hello", log) == "hello you"
    # An interrupt of our terminal must not reach it.
    assert os.getsid(process.pid) == process.pid
    process.kill()
    process.wait(10)


def test_a_process_that_ends_instead_shows_its_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    code = "print(*range(20), sep='\\n'); raise SystemExit('no such port')"
    process = spawn([sys.executable, "-c", code], log, {})
    with pytest.raises(OrchError) as caught:
        wait_for_text(process, tmp_path / "never", "x", log)
    fault = caught.value.fault
    assert fault.code is Code.CONTROLLER_UNREACHABLE
    assert fault.facts[0] == f"log: {log}"
    assert len(fault.facts) == 9
    assert "no such port" in fault.facts
    assert process.wait(10) == 1
