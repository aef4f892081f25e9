"""Many commands leave no descriptor, no thread and no process behind."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from tests.runtime.command_node import CommandNode, command_node, shell, spec_of
from tests.runtime.test_commands_end import DAEMONS


@pytest.fixture
def node(tmp_path: Path) -> Iterator[CommandNode]:
    with command_node(tmp_path) as running:
        yield running


def counts(node: CommandNode) -> tuple[int, ...]:
    """Descriptors, threads and children of agent and keeper."""
    ours, keeper = psutil.Process(), node.keeper
    return (
        ours.num_fds(),
        threading.active_count(),
        len(ours.children()),
        keeper.num_fds(),
        keeper.num_threads(),
        len(keeper.children()),
    )


def assert_settles(node: CommandNode, before: tuple[int, ...]) -> None:
    """An end is told a moment before the shim that told it is gone."""
    waiter = threading.Event()
    for _ in range(500):
        if counts(node) == before:
            return
        waiter.wait(0.01)
    assert counts(node) == before


def test_two_hundred_commands_leave_no_descriptor_thread_or_process(
    node: CommandNode,
) -> None:
    leaves = [sys.executable, "-I", "-S", "-c", DAEMONS]
    for n in range(1, 5):
        node.run(spec_of(n, *leaves))
    assert_settles(node, (*counts(node)[:3], 5, 1, 0))
    before, memory = counts(node), node.keeper.memory_info().rss
    for n in range(10, 210):
        program = leaves if n % 20 == 0 else ["true"]
        assert node.run(spec_of(n, *program)).exit_code == 0
        node.commands.forget([(spec_of(n).key, 1)])
    assert_settles(node, before)
    assert node.keeper.memory_info().rss - memory < 1 << 20
    assert node.news().ended[4:] == ()


def test_keepers_that_died_leave_nothing_in_the_agent(node: CommandNode) -> None:
    node.run(shell(1, "true"))
    before = (*counts(node)[:3], 5, 1, 0)
    for n in range(2, 8):
        spec = shell(n, "sleep 1000")
        node.start(spec)
        node.keeper.kill()
        assert node.ended(spec).lost
    node.run(shell(9, "true"))
    assert_settles(node, before)


def test_a_keeper_without_descriptors_keeps_what_runs(node: CommandNode) -> None:
    os.mkfifo(node.state / "go")
    first = replace(shell(1, "read -r _ < go"), cwd=str(node.state))
    pid = node.start(first)
    used = node.keeper.num_fds()
    node.keeper.rlimit(psutil.RLIMIT_NOFILE, (used, used + 100))
    end = node.run(shell(2, "true"))
    assert (end.full, end.exit_code) == (True, None)
    assert "Too many open files" in end.error
    assert psutil.pid_exists(pid)
    node.keeper.rlimit(psutil.RLIMIT_NOFILE, (used + 100, used + 100))
    assert node.run(shell(3, "true")).exit_code == 0
    (node.state / "go").write_text("went on\n")
    assert node.ended(first).exit_code == 0
