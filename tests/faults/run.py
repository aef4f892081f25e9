"""One run: a seed's load and its kills, from the first submit to the last end."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from orchestrator.client.client import Client
from orchestrator.client.submission import submit_all
from orchestrator.client.views import JobView
from orchestrator.errors import Code, OrchError
from orchestrator.lifecycle.key import JobKey
from orchestrator.spec.checked import checked
from orchestrator.spec.load import load_job_text
from tests.faults.attached import Attached
from tests.faults.head import Head
from tests.faults.kills import Kill, Scene, carry_out, draw_kills
from tests.faults.ledger import Line, read_ledger
from tests.faults.load import MODULE, Load, Piece, draw_load
from tests.faults.progress import Progress

T = TypeVar("T")

HANGS_S = 90.0
"""If nothing changes for so long, nothing will: a slow machine is no broken promise."""
TRIES = 8


@dataclass(frozen=True, slots=True)
class Outcome:
    """All that is known of a run when it is over.

    Attributes:
        ids: The job that was promised for each piece.
        views: Every job of the run, its tasks, and those that were accepted while
            the answer was lost on the way.
        kills: All that were done meanwhile, those of runs beside it too.
        drawn: Its own.
        attached: What the attached command line returned; `None`: it was killed.
        said: What it wrote to its standard error.
    """

    seed: int
    folder: Path
    load: Load
    ids: dict[str, int]
    views: dict[JobKey, JobView]
    ledger: list[Line]
    kills: list[Kill]
    drawn: list[Kill]
    attached: int | None
    said: str
    seconds: float


class Run:
    """A seed on a head."""

    def __init__(self, head: Head, seed: int, history: list[Kill]) -> None:
        """Draw it.

        Args:
            head: Where.
            seed: Of load and kills.
            history: Every kill on this head, whosever it was.
        """
        rng = random.Random(seed)
        self._head = head
        self._seed = seed
        self._folder = head.folder / f"s{seed}"
        self._folder.mkdir()
        self._model = head.folder / "model"
        self._model.mkdir(exist_ok=True)
        (self._model / "slow.py").write_text(MODULE)
        self._load = draw_load(rng, seed, self._folder)
        self._kills = draw_kills(rng, self._load.events)
        self._history = history
        self._progress = Progress()
        self._scene = Scene(head, str(self._folder), self._progress, done=history)
        self._rng = rng
        self._ids: dict[str, int] = {}
        self._attached: Attached | None = None

    def play(self) -> Outcome:
        """Submit all, kill, and wait for all to end."""
        began, first = time.monotonic(), len(self._history)
        progress = self._progress
        self._beside(lambda: progress.follow_ledger(self._head, self._folder.name))
        self._beside(lambda: carry_out(self._kills, self._scene, self._rng))
        cancels = []
        for piece in self._load.pieces:
            self._submit(piece)
            if piece.cancelled:
                cancels.append(self._beside(partial(self._cancel, piece)))
        for cancel in cancels:
            cancel.join(HANGS_S)
        views = self._wait()
        progress.over.set()
        assert self._attached is not None
        return Outcome(
            seed=self._seed,
            folder=self._folder,
            load=self._load,
            ids=self._ids,
            views=views,
            ledger=read_ledger(self._folder),
            kills=self._history[first:],
            drawn=self._kills,
            attached=self._attached.returned(self._history),
            said="".join(self._attached.said),
            seconds=time.monotonic() - began,
        )

    def _beside(self, act: Callable[[], None]) -> threading.Thread:
        thread = threading.Thread(target=act, daemon=True)
        thread.start()
        return thread

    # --- submitting -------------------------------------------------------------------

    def _submit(self, piece: Piece) -> None:
        spec = dict(piece.spec)
        if piece.after is not None:
            before, when = piece.after
            spec["after"] = [{"job": self._ids[before], "when": when}]
        text = json.dumps(spec)
        if piece.name == self._load.attached:
            number = self._submit_attached(piece, text)
        else:
            number = self._patiently(lambda client: self._post(client, piece, text))
        self._ids[piece.name] = number
        self._progress.note(f"{number} accepted")
        key = JobKey(number)
        if piece.name == "single":
            self._scene.hardy = key
        if piece.rows:
            self._beside(lambda: self._progress.follow_batch(self._head, key))

    def _post(self, client: Client, piece: Piece, text: str) -> int:
        loaded = load_job_text(text, piece.name, folder=self._model)
        (view,) = submit_all(client, [checked(loaded)])
        return view.id

    def _submit_attached(self, piece: Piece, text: str) -> int:
        """As a process that goes on to follow the job; what it printed counts."""
        path = self._model / f"s{self._seed}-{piece.name}.json"
        path.write_text(text)
        for _ in range(TRIES):
            self._attached = Attached(self._head, path)
            number = self._attached.accepted()
            if number is not None:
                self._scene.cli = self._attached.pid
                return number
            self._attached.close()
        raise AssertionError(f"`orch submit {path}` never got through")

    def _patiently(self, ask: Callable[[Client], T]) -> T:
        """Ask again where the controller died before it could answer."""
        for _ in range(TRIES):
            try:
                with self._head.client() as client:
                    return ask(client)
            except OrchError as error:
                if error.fault.code is not Code.CONTROLLER_UNREACHABLE:
                    raise
        raise AssertionError("no controller for a long time")

    # --- cancelling -------------------------------------------------------------------

    def _cancel(self, piece: Piece) -> None:
        number = self._ids[piece.name]
        if piece.cancelled == "running":
            known = -1
            while not self._progress.began(JobKey(number)):
                self._progress.wait(known, 0.5)
                known = self._progress.count
        for _ in range(TRIES):
            if self._head.orch_to_end("cancel", str(number)) == 0:
                return

    # --- the end ----------------------------------------------------------------------

    def _wait(self) -> dict[JobKey, JobView]:
        """Every job of the run as soon as all are over, or as they hang."""
        views = {view.key: view for view in self._listed()}
        for key, view in views.items():
            views[key] = self._final(key, view)
        for key, view in list(views.items()):
            if view.tasks is not None:
                views |= {task.key: task for task in self._tasks(key)}
        return views

    def _final(self, key: JobKey, view: JobView) -> JobView:
        if key.number not in self._ids.values() and view.name.endswith("stopped"):
            # Nobody has heard of it: it was accepted when the answer was lost.
            self._head.orch_to_end("cancel", str(key))
        known, deadline = (-1, -1), 0.0
        while not view.state.final:
            seen = (view.version, self._progress.count)
            if seen != known:
                known, deadline = seen, time.monotonic() + HANGS_S
            if time.monotonic() > deadline:
                break
            view = self._patiently(partial(_newer, key, view))
        return view

    def _listed(self) -> tuple[JobView, ...]:
        name = f"s{self._seed}-"
        return self._patiently(
            lambda client: client.jobs(every=True, limit=10_000, name=name).jobs
        )

    def _tasks(self, key: JobKey) -> tuple[JobView, ...]:
        return self._patiently(lambda client: client.tasks(key.number).jobs)


def _newer(key: JobKey, view: JobView, client: Client) -> JobView:
    return client.job(key, after=view.version, wait_s=2.0)
