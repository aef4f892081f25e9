"""Who is killed in a run, and when: drawn from its seed, done as events are seen.

What is promised for each:
    controller  Ray starts it again; it adopts what lives and loses no job.
    runner      starts again and goes on with the rows that are not on disk.
    engine      its chunks run elsewhere; it is loaded again.
    replica     the actor before an engine: the same, and its engine goes with it.
    zygote      the next load starts another one; engines do not need it.
    cli         the job that it follows goes on.
    command     its attempt failed; another one follows if the job file says so.
    shim        the command it guards is ended; another attempt follows.
    keeper      the same for every command of the node.
    agent       the same, and Ray starts it again; engines live on.
"""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from orchestrator.lifecycle.key import JobKey
from tests.faults.head import Head
from tests.faults.processes import Process, Processes
from tests.faults.progress import Progress

KINDS = {
    "controller": 5,
    "runner": 4,
    "engine": 4,
    "cli": 3,
    "agent": 2,
    "keeper": 2,
    "shim": 2,
    "replica": 2,
    "command": 2,
    "zygote": 1,
}
"""How often each is drawn."""
MOST = 4


@dataclass(slots=True)
class Kill:
    """A kill that is to come, or that was done.

    Attributes:
        who: A kind.
        event: Not before so many events of the load.
        pid: Of the victim; 0 while there was none.
        seen: Events when it was done.
        at: When, in seconds since the epoch.
    """

    who: str
    event: int
    pid: int = 0
    seen: int = 0
    at: float = 0.0

    def __str__(self) -> str:
        done = f"{self.seen}" if self.pid else "never"
        return f"{self.who}@{self.event}>{done}"


@dataclass(slots=True)
class Scene:
    """Where a run's victims are found.

    Attributes:
        folder: The run's, as its commands have it in their environment.
        cli: The process of the command line that follows a job, once it said which.
        hardy: The job whose command may be killed: it is tried again.
    """

    head: Head
    folder: str
    progress: Progress
    cli: int = 0
    hardy: JobKey | None = None
    done: list[Kill] = field(default_factory=list)


def draw_kills(rng: random.Random, events: int) -> list[Kill]:
    """One to four kills, spread over the events that a load has at least."""
    number = rng.randint(1, MOST)
    kinds = rng.choices(list(KINDS), list(KINDS.values()), k=number)
    return [Kill(kind, rng.randint(1, events * 4 // 5)) for kind in kinds]


def carry_out(kills: list[Kill], scene: Scene, rng: random.Random) -> None:
    """Kill as the events come; a kill without a victim waits for the next event."""
    waiting = sorted(kills, key=lambda kill: kill.event)
    progress = scene.progress
    known = -1
    while waiting and not progress.over.is_set():
        progress.wait(known, 0.5)
        known = progress.count
        for kill in [kill for kill in waiting if kill.event <= known]:
            found = _VICTIMS[kill.who](scene, scene.head.processes())
            if found and _kill(kill, rng.choice(found).pid, known):
                scene.done.append(kill)
                waiting.remove(kill)


def _kill(kill: Kill, pid: int, seen: int) -> bool:
    kill.at = datetime.now(UTC).timestamp()
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    kill.pid, kill.seen = pid, seen
    return True


# --- victims --------------------------------------------------------------------------


def _runners(scene: Scene, living: Processes) -> list[Process]:
    return living.of_pids({view["runner"]["pid"] for view in _batches(scene)})


def _engines(scene: Scene, living: Processes) -> list[Process]:
    replicas = [replica for view in _batches(scene) for replica in view["replicas"]]
    return living.of_pids({r["pid"] for r in replicas if r["state"] == "ready"})


def _batches(scene: Scene) -> list[dict[str, Any]]:
    views = list(scene.progress.batches.values())
    return [view.document for view in views if not view.state.final]


def _commands(scene: Scene, living: Processes) -> list[Process]:
    shims = {shim.pid for shim in living.shims()}
    ours = living.commands(scene.folder, {str(scene.hardy)})
    return [each for each in ours if each.parent in shims]


_VICTIMS: dict[str, Callable[[Scene, Processes], list[Process]]] = {
    "controller": lambda _, living: living.titled("ray::Controller"),
    "runner": _runners,
    "engine": _engines,
    "replica": lambda _, living: living.titled("ray::Replica"),
    "zygote": lambda _, living: living.zygotes(),
    "cli": lambda scene, living: living.of_pids({scene.cli}),
    "command": _commands,
    "shim": lambda _, living: living.shims(),
    "keeper": lambda _, living: living.keepers(),
    "agent": lambda _, living: living.titled("ray::Agent"),
}
