"""Nodes that are gone: their commands are lost, and nobody asks them any more."""

from __future__ import annotations

import threading

from tests.controller.plant import Plant


def watchers() -> set[threading.Thread]:
    return {t for t in threading.enumerate() if t.name == "commands node-a"}


def test_a_node_that_is_gone_is_not_watched_any_more(two: Plant) -> None:
    known, earlier = two.service._perform.commands._nodes, watchers()
    two.end(two.command())
    assert list(known) == ["node-a"]
    (watcher,) = watchers() - earlier

    def die() -> None:
        two.world.node_commands.die()
        two.world.dead_nodes.add("node-a")

    two.world.change(die)
    two.world.until(lambda: not known, "it is forgotten")
    two.world.until(lambda: not watcher.is_alive(), "its thread has ended")
    two.world.change(two.world.dead_nodes.clear)
    assert two.end(two.command())["state"] == "SUCCEEDED"
    assert list(known) == ["node-a"], "it came back"
