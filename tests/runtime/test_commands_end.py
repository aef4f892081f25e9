"""Nothing of a command stays: after its end, a signal, or a SIGKILL of ours."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from orchestrator.runtime.commands.marks import end_marked
from tests.runtime.command_node import (
    CommandNode,
    command_node,
    gone,
    marked,
    shell,
    spec_of,
    with_env,
)

AT_ONCE_S = 1.0
"""Within it the trees of what was killed must be gone."""

DAEMONS = """
import os, sys
def daemon(depth):
    # As daemons do it: two forks and a session of its own, and the same again.
    if os.fork(): return
    os.setsid()
    if os.fork(): os._exit(0)
    if depth: daemon(depth - 1)
    os.execvp("sleep", ["sleep", "1000"])
daemon(2)
os.write(1, b"ready\\n")
if len(sys.argv) > 1: os.execvp("sleep", ["sleep", "1000"])
"""


@pytest.fixture
def node(tmp_path: Path) -> Iterator[CommandNode]:
    with command_node(tmp_path) as running:
        yield running


def started(node: CommandNode, mark: str) -> tuple[int, list[int]]:
    """A command with three daemons below it: its pid, and those of all of them."""
    spec = with_env(spec_of(1, sys.executable, "-c", DAEMONS, "stay"), MARKED=mark)
    pid = node.start(spec)
    node.wait_log(spec, b"ready")
    waiter, sleeping = threading.Event(), list[int]()
    for _ in range(1000):
        sleeping = [p.pid for p in marked(mark) if p.name() == "sleep"]
        if len(sleeping) == 4:
            return pid, sleeping
        waiter.wait(0.01)
    raise AssertionError(f"only {sleeping} came up")


def test_daemons_of_a_command_go_with_it(node: CommandNode, tmp_path: Path) -> None:
    mark = f"{tmp_path}/daemons"
    spec = with_env(spec_of(1, sys.executable, "-c", DAEMONS), MARKED=mark)
    assert node.run(spec).exit_code == 0
    assert marked(mark) == []


def test_what_a_shell_leaves_in_the_background_goes_with_it(node: CommandNode) -> None:
    spec = shell(1, "sleep 1000 & setsid sleep 1000 & nohup sleep 1000 & echo $!")
    end = node.run(spec)
    assert (end.exit_code, end.ended_at - end.started_at < 10) == (0, True)
    assert gone([int(line) for line in node.log(spec).split() if line.isdigit()], 0)


def test_a_signal_goes_to_the_whole_group(node: CommandNode) -> None:
    script = "trap 'echo parent; exit 5' TERM; (trap 'echo child; exit' TERM; echo go;"
    script += " while :; do read -t 1 < <(sleep 1000) || :; done) & wait"
    spec = shell(1, script)
    node.start(spec)
    node.wait_log(spec, b"go")
    assert node.commands.signal((spec.key, 1), signal.SIGTERM)
    assert node.ended(spec).exit_code == 5
    assert b"parent" in node.log(spec)


def test_one_that_ignores_sigterm_goes_on_until_sigkill(node: CommandNode) -> None:
    spec = shell(1, "trap '' TERM INT HUP; echo go; sleep 1000; echo woke; sleep 1000")
    pid = node.start(spec)
    node.wait_log(spec, b"go")
    attempt = (spec.key, 1)
    for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        assert node.commands.signal(attempt, signum)
    assert psutil.Process(pid).is_running()
    assert node.commands.signal(attempt, signal.SIGKILL)
    assert node.ended(spec).signal == signal.SIGKILL
    assert not node.commands.signal(attempt, signal.SIGKILL)


def test_sigkill_takes_the_daemons_too(node: CommandNode, tmp_path: Path) -> None:
    mark = f"{tmp_path}/killed"
    _, pids = started(node, mark)
    spec = spec_of(1)
    assert node.commands.signal((spec.key, 1), signal.SIGKILL)
    assert node.ended(spec).signal == signal.SIGKILL
    assert gone(pids, 0)


def test_a_killed_shim_is_a_lost_command_without_a_tree(
    node: CommandNode, tmp_path: Path
) -> None:
    other = shell(2, "sleep 1000")
    alive = node.start(other)
    pid, pids = started(node, f"{tmp_path}/shim")
    node.shim_of(pid).kill()
    end = node.ended(spec_of(1))
    assert end.lost
    assert gone(pids, 0)
    assert psutil.Process(alive).status() == psutil.STATUS_SLEEPING
    assert [each.pid for each in node.news().running] == [alive]
    # Lost is not ended: it may run again.
    assert not (tmp_path / "jobs" / "1" / "attempt-1" / "exit.json").exists()


def test_a_stopped_shim_does_not_hold_the_others_up(node: CommandNode) -> None:
    spec = shell(1, "sleep 1000")
    shim = node.shim_of(node.start(spec))
    shim.suspend()
    assert node.run(shell(2, "exit 4")).exit_code == 4
    shim.resume()
    assert node.commands.signal((spec.key, 1), signal.SIGKILL)
    assert node.ended(spec).signal == signal.SIGKILL


def test_a_killed_keeper_takes_all_trees_with_it_and_another_starts(
    node: CommandNode, tmp_path: Path
) -> None:
    _, pids = started(node, f"{tmp_path}/keeper")
    second = node.start(shell(2, "sleep 1000"))
    node.keeper.kill()
    assert gone([*pids, second], AT_ONCE_S)
    assert node.ended(spec_of(1)).lost
    assert node.ended(spec_of(2)).lost
    assert node.run(shell(3, "exit 6")).exit_code == 6


def test_keeper_and_shim_killed_at_one_stroke_leave_nothing(
    node: CommandNode, tmp_path: Path
) -> None:
    pid, pids = started(node, f"{tmp_path}/both")
    shim, keeper = node.shim_of(pid), node.keeper
    keeper.suspend()
    shim.kill()
    keeper.kill()
    assert node.ended(spec_of(1)).lost
    assert gone(pids, AT_ONCE_S)


AGENT = """
import sys, threading
from pathlib import Path
from tests.runtime.command_node import command_node
from tests.runtime.test_commands_end import started
with command_node(Path(sys.argv[1]), sys.argv[2]) as node:
    pid, pids = started(node, sys.argv[3])
    print(node.keeper.pid, node.shim_of(pid).pid, *pids, flush=True)
    threading.Event().wait()
"""


def agent_with_command(state: Path) -> tuple[subprocess.Popen[bytes], list[int]]:
    """A process that is an agent; keeper, shim and the command's processes."""
    state.mkdir(exist_ok=True)
    arguments = [str(state), f"node of {state}", f"{state}/mark"]
    agent = subprocess.Popen(
        [sys.executable, "-c", AGENT, *arguments], stdout=subprocess.PIPE
    )
    assert agent.stdout is not None
    with agent.stdout as said:
        return agent, [int(pid) for pid in said.readline().split()]


def test_a_killed_agent_takes_everything_with_it(tmp_path: Path) -> None:
    agent, pids = agent_with_command(tmp_path / "state")
    assert len(pids) == 6
    agent.kill()
    agent.wait(10)
    assert gone(pids, AT_ONCE_S)
    with command_node(tmp_path / "state", "another life") as node:
        news = node.news()
        assert (news.running, news.ended) == ((), ())


def test_all_killed_at_one_stroke_is_swept_by_the_next_agent(tmp_path: Path) -> None:
    state = tmp_path / "state"
    agent, (keeper, shim, *pids) = agent_with_command(state)
    for pid in (keeper, agent.pid):
        os.kill(pid, signal.SIGSTOP)
    for pid in (shim, keeper, agent.pid):
        os.kill(pid, signal.SIGKILL)
    agent.wait(10)
    with command_node(state, f"node of {state}"):
        assert gone(pids, 0)


def test_a_sweep_knows_its_own_node(tmp_path: Path) -> None:
    with command_node(tmp_path, "node-a") as node:
        pid = node.start(shell(1, "sleep 1000"))
        assert end_marked("ORCH_NODE_ID", "node-b")
        assert psutil.Process(pid).is_running()
        assert end_marked("ORCH_NODE_ID", "node-a")
        assert gone([pid], 0)
