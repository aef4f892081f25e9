"""Commands on their nodes: started, watched, stopped. On the loop's thread.

A node answers a start with the pid, and tells of all its commands whenever one ends
(`CommandNews`); how a job's command ended is read from there and from nowhere else.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from signal import SIGKILL, SIGTERM, Signals
from typing import TypeAlias

from orchestrator.controller.active import ActiveJob
from orchestrator.controller.command_work import CommandWork
from orchestrator.controller.core import Core
from orchestrator.controller.loop import bug
from orchestrator.errors import Code, Fault, OrchError
from orchestrator.lifecycle.events import (
    CommandEnded,
    CommandLost,
    CommandStarted,
    Event,
)
from orchestrator.lifecycle.instructions import StartCommand, StopCommand
from orchestrator.lifecycle.key import JobKey
from orchestrator.lifecycle.states import State
from orchestrator.runtime.commands.spec import CommandEnd, CommandNews, CommandSpec

WATCH_S = 10.0
AGAIN_S = 1.0
FORGET_S = 0.2

_Ident: TypeAlias = tuple[JobKey, int]


@dataclass(slots=True)
class _Node:
    """What the controller knows of one node's commands.

    Attributes:
        name: For people.
        jobs: Those that have a command there.
        asked: How many times the node was asked for news.
        confirmed: Jobs whose command it took, with `asked` at that time: news that
            was asked for later has it, or its agent died.
        ended: Commands that it told of and may forget, by attempt.
    """

    name: str
    jobs: dict[JobKey, ActiveJob] = field(default_factory=dict)
    asked: int = 0
    confirmed: dict[JobKey, int] = field(default_factory=dict)
    ended: set[_Ident] = field(default_factory=set)


class Commands:
    """The commands of all nodes."""

    def __init__(self, core: Core, perform: Callable[[ActiveJob, Event], None]) -> None:
        self._core = core
        self._perform = perform
        self._nodes: dict[str, _Node] = {}

    def start(self, job: ActiveJob, start: StartCommand) -> None:
        """Start the attempt's command on its node, unless the node knows it."""
        self._start(job, start.attempt)

    def _start(self, job: ActiveJob, attempt: int) -> None:
        node, node_id = self._node(job), job.command.node_id
        node.jobs[job.key] = job
        node.confirmed.pop(job.key, None)
        self._core.loop.effect(
            lambda: self._core.cluster.start_command(node_id, self._spec(job, attempt)),
            lambda pid: self._confirm(job, attempt, pid),
            lambda error: self._not_started(job, attempt, error),
        )

    def stop(self, job: ActiveJob, stop: StopCommand) -> None:
        """Ask the command to end, or end it."""
        node = self._node(job)
        if job.key not in node.jobs:
            # An earlier controller has started it: all news is about it.
            node.jobs[job.key], node.confirmed[job.key] = job, -1
        number = SIGKILL if stop.force else SIGTERM
        self._signal(job.command.node_id, job.key, stop.attempt, number)

    def forget(self, job: ActiveJob) -> None:
        """The attempt is over."""
        node = self._nodes.get(job.command.node_id)
        if node is not None:
            node.jobs.pop(job.key, None)
            node.confirmed.pop(job.key, None)

    def _spec(self, job: ActiveJob, attempt: int) -> CommandSpec:
        assert isinstance(job.work, CommandWork)
        folder = attempt_folder(job.key, attempt)
        secrets = self._core.store.secrets(job.key)
        return job.work.command(job.row, attempt, folder, secrets)

    def _signal(self, node_id: str, key: JobKey, attempt: int, number: int) -> None:
        cluster = self._core.cluster
        self._core.loop.effect(
            lambda: cluster.signal_command(node_id, key, attempt, number),
            lambda _sent: None,
        )

    # --- news -------------------------------------------------------------------------

    def _node(self, job: ActiveJob) -> _Node:
        node_id = job.command.node_id
        node = self._nodes.get(node_id)
        if node is None:
            node = self._nodes[node_id] = _Node(job.command.node)
            watch = partial(self._watch, node_id, node)
            self._core.loop.thread(watch, f"commands {node_id}")
        return node

    def _watch(self, node_id: str, node: _Node) -> None:
        """On a thread of its own: ask the node for news, until it is gone."""
        cluster, loop, version = self._core.cluster, self._core.loop, -1
        while self._nodes.get(node_id) is node and not loop.stopped.is_set():
            node.asked += 1
            try:
                news = cluster.watch_commands(node_id, version, WATCH_S)
            except Exception as error:  # noqa: BLE001 - or every command would hang
                traceback.print_exception(error)
                self._look_after(node_id, node)
                loop.stopped.wait(AGAIN_S)
                continue
            version = news.version
            loop.post(partial(self._news, node_id, node, news, node.asked))

    def _look_after(self, node_id: str, node: _Node) -> None:
        """A node does not answer: if it is gone, so are its commands."""
        try:
            alive = any(one.id == node_id for one in self._core.cluster.nodes())
        except Exception:  # noqa: BLE001 - nobody knows; it is asked again
            traceback.print_exc()
            return
        # Of one that is alive the agent is started again, and will not know them.
        if not alive:
            self._core.loop.post(lambda: self._gone(node_id, node))

    def _news(self, node_id: str, node: _Node, news: CommandNews, asked: int) -> None:
        """Also ends what runs for no job here: a start that was given up, and was done.

        Jobs are known before their command is started, so none is mistaken for that.
        """
        running = {(r.key, r.attempt): r.pid for r in news.running}
        ended = {(end.key, end.attempt): end for end in news.ended}
        for job in list(node.jobs.values()):
            ident = (job.key, job.machine.attempt)
            if ident in ended:
                self._ended(job, ended[ident])
            elif ident in running:
                self._started(job, running[ident])
            elif node.confirmed.get(job.key, asked) < asked:
                self._ask_again(job, ident[1], _agent_lost(node.name))
        if ended:
            self._forget(node_id, node, ended)
        wanted = {(job.key, job.machine.attempt) for job in node.jobs.values()}
        for key, attempt in running.keys() - wanted:
            self._signal(node_id, key, attempt, SIGKILL)

    def _forget(self, node_id: str, node: _Node, ended: Collection[_Ident]) -> None:
        """Let the node forget these: one call for all that end within a moment."""
        if not node.ended:
            self._core.loop.later(FORGET_S, lambda: self._send_ended(node_id, node))
        node.ended.update(ended)

    def _send_ended(self, node_id: str, node: _Node) -> None:
        ended, node.ended = tuple(node.ended), set()
        self._core.loop.effect(
            lambda: self._core.cluster.forget_commands(node_id, ended),
            lambda _done: None,
        )

    def _confirm(self, job: ActiveJob, attempt: int, pid: int) -> None:
        node = self._nodes.get(job.command.node_id)
        waits = node is not None and node.jobs.get(job.key) is job
        if node is not None and waits and job.machine.attempt == attempt:
            node.confirmed[job.key] = node.asked
            self._started(job, pid)

    def _started(self, job: ActiveJob, pid: int) -> None:
        if pid and job.command.pid != pid:
            job.command.pid = pid
            self._perform(job, CommandStarted(job.machine.attempt, pid))

    def _ended(self, job: ActiveJob, end: CommandEnd) -> None:
        attempt = end.attempt
        if end.error:
            code = Code.RUNNER_LOST if end.full else Code.BAD_VALUE
            self._perform(job, CommandLost(attempt, Fault(code, end.error)))
        elif end.lost:
            self._perform(job, CommandLost(attempt, _agent_lost(job.command.node)))
        else:
            name = None
            if end.signal is not None:
                name = str(end.signal)
                with suppress(ValueError):
                    name = Signals(end.signal).name
            job.command.exit_code, job.command.signal = end.exit_code, name
            self._perform(job, CommandEnded(attempt, end.exit_code, name))

    def _not_started(self, job: ActiveJob, attempt: int, error: Exception) -> None:
        fault = error.fault if isinstance(error, OrchError) else bug(error)
        if fault.code is Code.NODE_LOST:
            again = partial(self._ask_again, job, attempt, fault)
            self._core.loop.later(AGAIN_S, again)
        else:
            self._perform(job, CommandLost(attempt, fault))

    def _ask_again(self, job: ActiveJob, attempt: int, fault: Fault) -> None:
        """Its agent was killed: the next one finds what became of the command.

        It may have come to its end just before; it is not run again without asking.
        """
        node = self._nodes.get(job.command.node_id)
        waits = node is not None and node.jobs.get(job.key) is job
        if not waits or job.machine.attempt != attempt:
            return
        if job.machine.state is State.STOPPING:
            self._perform(job, CommandLost(attempt, fault))
        else:
            self._start(job, attempt)

    def _gone(self, node_id: str, node: _Node) -> None:
        fault = Fault(Code.NODE_LOST, f"node '{node.name}' is gone")
        for job in list(node.jobs.values()):
            self._perform(job, CommandLost(job.machine.attempt, fault))
        # Its thread ends with that; if the node comes back, it gets another one.
        if not node.jobs and self._nodes.get(node_id) is node:
            del self._nodes[node_id]


def attempt_folder(key: JobKey, attempt: int) -> str:
    """Where an attempt's files are, in the state folder of the node it runs on."""
    return f"jobs/{key}/attempt-{attempt}"


def _agent_lost(node: str) -> Fault:
    return Fault(
        Code.RUNNER_LOST,
        f"what watched the command on '{node}' was killed, and the command with it",
    )
