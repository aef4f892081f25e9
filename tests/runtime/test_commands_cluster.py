"""Commands through Ray: the cluster's calls, and an agent that dies under them."""

from __future__ import annotations

import hashlib
import io
import os
import signal
import tarfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import ray

from orchestrator.errors import Code, OrchError
from orchestrator.runtime import log_files
from orchestrator.runtime.cluster import Cluster
from orchestrator.runtime.commands.spec import (
    CommandEnd,
    CommandNews,
    CommandSpec,
    Snapshot,
)
from orchestrator.runtime.head import Head
from tests.runtime.command_node import gone, shell
from tests.runtime.ray_heads import connected

pytestmark = pytest.mark.ray


def head_of(cluster: Cluster) -> str:
    return next(node.id for node in cluster.nodes() if node.head)


def ended(cluster: Cluster, node: str, spec: CommandSpec) -> CommandEnd:
    news = CommandNews("", -1)
    for _ in range(100):
        news = cluster.watch_commands(node, news.version, 20)
        for end in news.ended:
            if end.key == spec.key:
                return end
    raise AssertionError(f"{spec.key} did not end")


def run_one(state: Path) -> tuple[CommandEnd, bytes, list[int]]:
    cluster = Cluster(state / "logs")
    node = head_of(cluster)
    spec = shell(1, "pwd; env | grep -c ^RAY_ || echo $ORCH_JOB_KEY; exit 3")
    cluster.start_command(node, spec)
    end = ended(cluster, node, spec)
    log = f"{spec.folder}/rank-0.log"
    cluster.forget_commands(node, [(spec.key, 1)])
    assert cluster.watch_commands(node, -1, 1).ended == ()
    offsets = [
        cluster.log_size(node, log),
        cluster.log_tail(node, log, 1),
        cluster.log_since(node, log, 0.0),
    ]
    return end, cluster.read_log(node, log, 0, 1000), offsets


def test_a_command_and_its_log(head: Head, state: Path) -> None:
    with connected(head, state) as child:
        end, log, offsets = child.submit(run_one, state).result(120)
    assert end.exit_code == 3
    workdir = state / "jobs" / "1" / "workdir"
    # No variable of Ray's: grep counts none, and the key is said.
    assert log.decode() == f"{workdir}\n0\n1\n"
    assert log == log_files.read_range(state / "jobs/1/attempt-1/rank-0.log", 0, 1000)
    assert offsets == [len(log), len(log) - 2, 0]


def refusals(state: Path) -> list[Code]:
    cluster = Cluster(state / "logs")
    node = head_of(cluster)
    no_code = replace(shell(2, "true"), snapshot=Snapshot("0" * 64, "/nowhere"))
    calls: list[Callable[[], object]] = [
        lambda: cluster.read_log(node, "../../etc/passwd", 0, 10),
        lambda: cluster.read_log(node, "/etc/passwd", 0, 10),
        lambda: cluster.start_command("0" * 56, shell(2, "true")),
        lambda: cluster.watch_commands("0" * 56, -1, 1),
        lambda: cluster.start_command(node, no_code),
    ]
    found = []
    for call in calls:
        with pytest.raises(OrchError) as caught:
            call()
        found.append(caught.value.fault.code)
    return found


def test_what_is_refused(head: Head, state: Path) -> None:
    with connected(head, state) as child:
        codes = child.submit(refusals, state).result(120)
    lost = [Code.NODE_LOST] * 2
    assert codes == [*[Code.NOT_ALLOWED] * 2, *lost, Code.FILE_NOT_FOUND]


def run_code_from_afar(state: Path, code: bytes) -> bytes:
    cluster = Cluster(state / "logs")
    node = head_of(cluster)
    # A file that this process can read and the agent cannot: as on another node.
    file = os.dup2(os.memfd_create("code"), 900)
    os.write(file, code)
    snapshot = Snapshot(hashlib.sha256(code).hexdigest(), f"/proc/self/fd/{file}")
    spec = replace(shell(4, "cat here.txt"), snapshot=snapshot)
    cluster.start_command(node, spec)
    assert ended(cluster, node, spec).exit_code == 0
    return cluster.read_log(node, f"{spec.folder}/rank-0.log", 0, 100)


def test_code_comes_to_a_node_that_has_not_seen_it(head: Head, state: Path) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        info = tarfile.TarInfo("here.txt")
        info.size = 4
        archive.addfile(info, io.BytesIO(b"code"))
    with connected(head, state) as child:
        code = packed.getvalue()
        log = child.submit(run_code_from_afar, state, code).result(120)
    assert log == b"code"


def news_of_next_life(cluster: Cluster, node: str, version: int) -> CommandNews:
    for _ in range(100):
        with suppress(OrchError):
            return cluster.watch_commands(node, version, 5)
    raise AssertionError("the agent did not come back")


def lose_agent(state: Path) -> tuple[list[str], bool, CommandEnd]:
    cluster = Cluster(state / "logs")
    node = head_of(cluster)
    pid = cluster.start_command(node, shell(3, "sleep 1000"))
    before = cluster.watch_commands(node, -1, 1)
    os.kill(ray.get(cluster.agent(node).pid.remote()), signal.SIGKILL)
    was_gone = gone([pid], 1.0)
    after = news_of_next_life(cluster, node, before.version)
    assert (after.running, after.ended) == ((), ())
    again = replace(shell(3, "exit 5"), attempt=2, folder="jobs/3/attempt-2")
    cluster.start_command(node, again)
    return [before.life, after.life], was_gone, ended(cluster, node, again)


def test_an_agent_that_died_is_another_one_and_its_commands_are_gone(
    head: Head, state: Path
) -> None:
    with connected(head, state) as child:
        lives, was_gone, end = child.submit(lose_agent, state).result(120)
    assert lives[0] != lives[1]
    assert was_gone
    assert end.exit_code == 5


def read_rooms(state: Path) -> list[object]:
    cluster = Cluster(state / "logs")
    _, (room,) = cluster.look()
    assert room.head
    assert cluster.folder(room.node_id) == str(state)
    return [room.name, room.cores, room.memory_bytes, room.available_bytes]


def test_the_room_of_a_node(head: Head, state: Path) -> None:
    with connected(head, state) as child:
        name, cores, memory, available = child.submit(read_rooms, state).result(120)
    assert (name, cores) == ("local", len(os.sched_getaffinity(0)))
    assert memory == psutil.virtual_memory().total
    assert isinstance(available, int)
    assert 0 < available <= psutil.virtual_memory().total
