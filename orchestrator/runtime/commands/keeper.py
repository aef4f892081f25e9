"""The process that all commands of a node are forked from; it holds them, no more.

Standard input is a socket to the agent. At its end (the agent is gone) the keeper
hangs up on its shims, which end their trees. It adopts what a killed shim leaves.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import socket
from contextlib import suppress
from typing import Any

from orchestrator.runtime.commands import shim, tree
from orchestrator.runtime.commands.wire import Wire


def main() -> None:
    """Serve one agent until it goes."""
    # Whatever the thread that started us had blocked.
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    tree.adopt_orphans()
    # What stands now is shared with every fork, as long as nobody counts it.
    gc.freeze()
    _Keeper(Wire(socket.socket(fileno=0))).run()


class _Shim:
    """The keeper's end of a shim."""

    def __init__(self, command: str, pid: int, wire: Wire) -> None:
        self.id = command
        self.pid = pid
        self.wire = wire
        self.told_end = False


class _Keeper:
    def __init__(self, agent: Wire) -> None:
        self._agent = agent
        self._deaths = tree.Deaths()
        self._poll = select.poll()
        self._poll.register(agent, select.POLLIN)
        self._shims: dict[int, _Shim] = {}
        """By the descriptor of the keeper's end."""

    def run(self) -> None:
        # An error of this wire means the same as its end.
        with suppress(OSError):
            while self._serve():
                pass
        for each in self._shims.values():
            each.wire.close()
        for each in self._shims.values():
            os.waitpid(each.pid, 0)
        tree.end_children(self._deaths)

    def _serve(self) -> bool:
        """Do what there is to do; false when the agent is gone."""
        for source, _ in self._poll.poll():
            if source != self._agent.fileno():
                self._hear(self._shims[source])
                continue
            orders = self._agent.receive()
            if orders is None:
                return False
            for order in orders:
                self._follow(order)
        return True

    def _follow(self, order: dict[str, Any]) -> None:
        if "signal" not in order:
            self._start(shim.Order(**order))
            return
        for each in self._shims.values():
            if each.id == order["id"]:
                # One that just ends is heard of at once in any case.
                with suppress(OSError):
                    each.wire.send({"signal": order["signal"]})

    def _start(self, order: shim.Order) -> None:
        keeper = os.getpid()
        try:
            ours, theirs = socket.socketpair()
            try:
                pid = os.fork()
            except OSError:
                ours.close()
                theirs.close()
                raise
        except OSError as error:
            # Out of descriptors or processes: those that run must not suffer for it.
            self._agent.send({"id": order.id, "end": shim.never_started(error)})
            return
        if pid == 0:
            self._close_all()
            ours.close()
            shim.guard(order, keeper, Wire(theirs))
        theirs.close()
        self._shims[ours.fileno()] = _Shim(order.id, pid, Wire(ours))
        self._poll.register(ours, select.POLLIN)

    def _close_all(self) -> None:
        """In a shim: an end that it kept open would hide that the keeper is gone."""
        self._agent.close()
        os.open(os.devnull, os.O_RDONLY)
        for each in self._shims.values():
            each.wire.close()

    def _hear(self, speaker: _Shim) -> None:
        messages = speaker.wire.receive()
        if messages is None:
            self._part(speaker)
            return
        for message in messages:
            speaker.told_end = speaker.told_end or "end" in message
            self._agent.send(message)

    def _part(self, gone: _Shim) -> None:
        descriptor = gone.wire.fileno()
        self._poll.unregister(descriptor)
        del self._shims[descriptor]
        gone.wire.close()
        os.waitpid(gone.pid, 0)
        if not gone.told_end:
            # It was killed; what it guarded is ours now, and nobody watches it.
            tree.end_children(self._deaths, {each.pid for each in self._shims.values()})
            self._agent.send({"id": gone.id, "end": None})
