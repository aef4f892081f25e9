"""The load of one run, drawn from its seed: batches, commands, arrays, chains."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.lifecycle.states import State
from tests.faults.ledger import FOLDER, says

ROWS_A_SECOND = 150.0
MODULE = '''
import time
import torch

class Slow(torch.nn.Module):
    """Doubles its input at a set pace, so that a kill can come in the middle."""
    def __init__(self, rows_per_second: float):
        super().__init__()
        self.pace = rows_per_second

    def forward(self, x):
        time.sleep(len(x) / self.pace)
        return x * 2
'''

OK = (State.SUCCEEDED,)
DEATHS = ["node_lost", "worker_died"]
PATIENT = {"max": 20, "on": DEATHS, "backoff": "0.1s..0.4s"}


@dataclass(frozen=True, slots=True)
class Piece:
    """One job of a load, and what must become of it.

    Attributes:
        name: In the run; jobs after it call it so.
        spec: Its job file.
        ends: The states it may end in.
        after: The piece it comes behind, and `ok` or `fail`.
        rows: Of a batch.
        tasks: Of an array.
        parallel: How many of them may run at a time.
        once: It must not be started twice.
        whole: Its command writes `end` when it is through.
        cancelled: A command line cancels it: `waiting`, or as it is `running`.
    """

    name: str
    spec: dict[str, Any]
    ends: tuple[State, ...] = OK
    after: tuple[str, str] | None = None
    rows: int = 0
    tasks: int = 0
    parallel: int = 0
    once: bool = False
    whole: bool = True
    cancelled: str = ""

    @property
    def events(self) -> int:
        """At least so much can be seen of it: accepted, began, ended."""
        return 1 + (3 if self.rows else 2 * max(1, self.tasks))


@dataclass(frozen=True, slots=True)
class Load:
    """The jobs of a run, in the order of their submission.

    Attributes:
        attached: The piece that a command line submits and follows.
    """

    pieces: tuple[Piece, ...]
    attached: str

    @property
    def events(self) -> int:
        """At least so much can be seen while it runs."""
        return sum(piece.events for piece in self.pieces)


def draw_load(rng: random.Random, seed: int, folder: Path) -> Load:
    """The load of a seed; the files it needs are written into the folder."""
    make = _Maker(rng, seed, folder)
    pieces = [make.batch("rows"), make.command("single", on_error=True)]
    if rng.random() < 0.7:
        pieces.append(make.array("array"))
    if rng.random() < 0.6:
        pieces += make.chain(fails=rng.random() < 0.4)
    if rng.random() < 0.6:
        pieces.append(make.stopped("stopped", rng.choice(["waiting", "running"])))
    if rng.random() < 0.4:
        pieces.append(make.once("once"))
    if rng.random() < 0.3:
        pieces.append(make.batch("more", after=("rows", "ok")))
    return Load(tuple(pieces), rng.choice(["rows", "single"]))


class _Maker:
    def __init__(self, rng: random.Random, seed: int, folder: Path) -> None:
        self._rng = rng
        self._seed = seed
        self._folder = folder

    def batch(self, name: str, after: tuple[str, str] | None = None) -> Piece:
        rows = self._rng.randint(100, 400)
        data = self._folder / f"{name}.jsonl"
        lines = (json.dumps({"id": f"r{n}", "x": [float(n)]}) for n in range(rows))
        data.write_text("\n".join(lines) + "\n")
        spec = {
            "kind": "batch",
            "model": {"entry": "slow:Slow", "args": {"rows_per_second": ROWS_A_SECOND}},
            "input": {"path": str(data), "id_field": "id", "fields": ["x"]},
            "keep_alive": self._rng.choice([0, "30s"]),
        }
        if self._rng.random() < 0.5:
            spec["resources"] = {"gpus": 1}
        return Piece(name, self._job(name, spec), after=after, rows=rows)

    def command(
        self,
        name: str,
        *,
        on_error: bool = False,
        exit_code: int = 0,
        after: tuple[str, str] | None = None,
    ) -> Piece:
        run = f"{says('start')}; sleep {self._pause()}; {says('end')}; exit {exit_code}"
        spec = self._job(name, {"kind": "command", "run": run})
        if on_error:
            spec["retry"] = {**PATIENT, "on": [*DEATHS, "error"]}
        if self._rng.random() < 0.5:
            # With files that travel: unpacked before it can start.
            spec["workdir"] = "."
        ends = OK if exit_code == 0 else (State.FAILED,)
        return Piece(name, spec, ends, after)

    def array(self, name: str) -> Piece:
        tasks = self._rng.randint(3, 5)
        run = f"{says('start')}; sleep {self._pause()}; {says('end')}"
        array = {"range": f"0-{tasks - 1}", "max_parallel": 2}
        spec = self._job(name, {"kind": "command", "run": run, "array": array})
        return Piece(name, spec, tasks=tasks, parallel=2)

    def chain(self, *, fails: bool) -> list[Piece]:
        first = self.command("first", exit_code=3 if fails else 0)
        second = self.command("second", after=("first", "fail" if fails else "ok"))
        if not fails:
            return [first, second]
        never = self.command("never", after=("first", "ok"))
        return [
            first,
            second,
            Piece("never", never.spec, (State.SKIPPED,), never.after),
        ]

    def stopped(self, name: str, when: str) -> Piece:
        run = f"{says('start')}; sleep 120; {says('end')}"
        spec = self._job(name, {"kind": "command", "run": run})
        return Piece(name, spec, (State.CANCELLED,), whole=False, cancelled=when)

    def once(self, name: str) -> Piece:
        """Nobody may run it again: where its guard was killed, it is LOST."""
        piece = self.command(name)
        piece.spec["retry"] = {"max": 0}
        return Piece(name, piece.spec, (State.SUCCEEDED, State.LOST), once=True)

    def _job(self, name: str, more: dict[str, Any]) -> dict[str, Any]:
        # A batch has no variable of its run: its engines serve the next run too.
        own: dict[str, Any] = {}
        if more["kind"] == "command":
            own = {"resources": {"cpus": 0.2}, "workdir": None}
            own["env"] = {FOLDER: str(self._folder)}
        return {
            "version": 1,
            "name": f"s{self._seed}-{name}",
            "retry": dict(PATIENT),
            "output": {"path": str(self._folder / "out" / "{id}")},
            **own,
            **more,
        }

    def _pause(self) -> str:
        return f"{self._rng.uniform(0.2, 0.8):.2f}"
