"""The part of a fake cluster that is about commands on nodes."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.errors import Code, OrchError
from orchestrator.lifecycle.key import JobKey
from orchestrator.runtime.commands.spec import CommandNews, CommandSpec
from tests.controller.fake_wire import Wired, carried

HELD_BACK_S = 60.0
"""How long the fake waits for its test before it gives up."""


class FakeNodes(Wired):
    """The nodes' agents, with one kind of commands for all."""

    @carried
    def start_command(self, node_id: str, spec: CommandSpec) -> int:
        world = self.world
        world.changed.wait_for(lambda: not world.starts_held or self._cut, HELD_BACK_S)
        self.alive()
        self._node(node_id)
        command = self.world.node_commands.start(spec)
        self.world.changed.notify_all()
        return command.pid

    @carried
    def signal_command(
        self, node_id: str, key: JobKey, attempt: int, signal: int
    ) -> bool:
        self._node(node_id)
        return self.world.node_commands.signal(key, attempt, signal)

    @carried
    def watch_commands(self, node_id: str, after: int, timeout_s: float) -> CommandNews:
        self._node(node_id)
        commands = self.world.node_commands
        life = commands.life
        self.world.changed.wait_for(
            lambda: commands.version != after or self._cut, timeout_s
        )
        self.alive()
        if commands.life != life:
            raise OrchError.of(Code.RUNNER_LOST, "the node's agent died")
        return commands.news()

    @carried
    def forget_commands(
        self, node_id: str, ended: Sequence[tuple[JobKey, int]]
    ) -> None:
        self._node(node_id)
        self.world.node_commands.forget(ended)

    def _node(self, node_id: str) -> None:
        if node_id in self.world.dead_nodes:
            raise OrchError.of(Code.NODE_LOST, "the node's agent does not answer")
