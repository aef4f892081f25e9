"""Output without end: memory does not grow, and signals still get through."""

from __future__ import annotations

import signal
import threading
from pathlib import Path

from tests.runtime.command_node import command_node, shell

ENOUGH_BYTES = 300 << 20


def test_a_flood_of_output_takes_no_memory(tmp_path: Path) -> None:
    with command_node(tmp_path) as node:
        spec = shell(1, f"head -c {ENOUGH_BYTES} /dev/zero; echo; sleep 1000")
        log = tmp_path / spec.folder / "rank-0.log"
        pid = node.start(spec)
        shim = node.shim_of(pid)
        peak, waiter = 0, threading.Event()
        for _ in range(6000):
            peak = max(peak, shim.memory_info().rss)
            if log.exists() and log.stat().st_size > ENOUGH_BYTES:
                break
            waiter.wait(0.01)
        assert log.stat().st_size == ENOUGH_BYTES + 1
        assert peak < 32 << 20
        index = log.with_name("rank-0.log.idx")
        assert index.stat().st_size <= 16 * 61
        node.commands.signal((spec.key, 1), signal.SIGTERM)
        assert node.ended(spec).signal == signal.SIGTERM
        log.unlink()


def test_a_writer_without_end_can_be_ended(tmp_path: Path) -> None:
    with command_node(tmp_path) as node:
        spec = shell(1, "yes")
        node.start(spec)
        node.wait_log(spec, b"y\n")
        node.commands.signal((spec.key, 1), signal.SIGINT)
        assert node.ended(spec).signal == signal.SIGINT
        (tmp_path / spec.folder / "rank-0.log").unlink()
