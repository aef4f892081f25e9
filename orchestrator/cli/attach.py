"""Following a job: what is shown, and what Ctrl-C means.

Once detaches, twice cancels, three times kills. SIGTERM and SIGHUP only end the
following; the job goes on.
"""

from __future__ import annotations

import signal
import time

from orchestrator.cli.display import Display
from orchestrator.cli.feed import Feed, LogOver, Signalled
from orchestrator.cli.session import Session, now
from orchestrator.cli.tail import Tail
from orchestrator.client.client import Client
from orchestrator.client.logs import Piece
from orchestrator.client.views import JobView
from orchestrator.errors import EXIT_CANCELLED, EXIT_INTERRUPTED
from orchestrator.render.errors import show_faults
from orchestrator.render.outcome import next_commands, outcome_line, outcome_style
from orchestrator.render.paths import short_path
from orchestrator.render.progress import NONE, job_progress

TICK_SECONDS = 0.5
AGAIN_SECONDS = 2.0
"""How long a first Ctrl-C waits for a second."""
DRAIN_SECONDS = 10.0
"""How long the rest of a log may take once its job has ended."""


def attach(session: Session, client: Client, job: JobView, *, cancels: bool) -> int:
    """Follow a job that was just submitted; the exit code of its outcome.

    Args:
        session: Says what happens.
        client: Whose controller has the job.
        job: As it was accepted.
        cancels: The first Ctrl-C cancels it, without a second.
    """
    feed = Feed(client)
    with feed.signals(), Display(session.talk, now()) as display:
        feed.follow(job.key)
        meaning = "cancels the job" if cancels else "detaches; the job keeps running"
        session.talk.say(f"{job.label} '{job.name}' submitted · Ctrl-C {meaning}")
        display.show(job, now())
        return _Follower(session, feed, display, job, cancels=cancels).run()


class _Follower:
    def __init__(
        self,
        session: Session,
        feed: Feed,
        display: Display,
        job: JobView,
        *,
        cancels: bool,
    ) -> None:
        self._session, self._feed, self._display = session, feed, display
        self._job, self._cancels = job, cancels
        self._tail = Tail(feed, wanted=not session.as_json)
        self._cancelling = False

    def run(self) -> int:
        """Until the job has ended, or a signal ends the following."""
        while not self._job.state.final:
            code = self._step()
            if code is not None:
                return code
        self._drain()
        self._display.pause()
        return conclude(self._session, self._job)

    def _step(self, timeout_s: float = TICK_SECONDS) -> int | None:
        match self._feed.next(timeout_s):
            case None:
                self._display.tick(now())
            case JobView() as job:
                self._changed(job)
            case Piece() | LogOver() as event:
                self._tail.take(event)
                self._tail.look(self._job)
            case Signalled(number):
                return self._signalled(number)
        return None

    def _changed(self, job: JobView) -> None:
        self._job = job
        self._display.show(job, now())
        self._tail.look(job)

    def _drain(self) -> None:
        deadline = time.monotonic() + DRAIN_SECONDS
        while not self._tail.over(self._job) and time.monotonic() < deadline:
            if self._step() is not None:
                return

    def _signalled(self, number: int) -> int | None:
        if number != signal.SIGINT:
            return self._leave(128 + number)
        if self._cancelling:
            return self._kill()
        if not self._cancels:
            self._display.pause()
            self._session.talk.say_all(_detached(self._job, self._session.talk.moves))
            if not self._again():
                return self._leave(EXIT_INTERRUPTED)
        self._cancel()
        return None

    def _again(self) -> bool:
        """Whether Ctrl-C is pressed once more, in time."""
        if not self._session.talk.moves:
            return False
        deadline = time.monotonic() + AGAIN_SECONDS
        while (left := deadline - time.monotonic()) > 0:
            match self._feed.next(left):
                case JobView() as job:
                    self._job = job
                case Piece() | LogOver() as event:
                    self._tail.take(event)
                case Signalled(signal.SIGINT):
                    return True
                case _:
                    continue
        return False

    def _cancel(self) -> None:
        self._cancelling = True
        self._session.talk.warn(
            f"Cancelling {self._job.label.lower()} (finished rows are kept) … "
            "Ctrl-C once more kills it"
        )
        self._ask_to_stop(force=False)
        self._display.resume()

    def _kill(self) -> int:
        self._display.pause()
        self._ask_to_stop(force=True)
        self._session.talk.warn("Killed.")
        return self._leave(EXIT_CANCELLED)

    def _ask_to_stop(self, *, force: bool) -> None:
        # The feed's client may be replacing its connection just now.
        with Client.connect(self._session.folder) as client:
            client.cancel(self._job.key, force=force, reason="Ctrl-C")

    def _leave(self, code: int) -> int:
        if self._session.as_json:
            self._session.answer("submit", {"job": self._job.document})
        return code


def conclude(session: Session, job: JobView) -> int:
    """Say how the job ended, write where its results are; the exit code."""
    if session.as_json:
        session.answer("submit", {"job": job.document})
        return job.exit_code
    session.talk.say(outcome_line(job), outcome_style(job))
    if job.faults:
        show_faults(session.talk, job.faults)
    session.talk.say_all(next_commands(job), "dim")
    if job.results:
        session.write(short_path(job.results))
    return job.exit_code


def _detached(job: JobView, can_repeat: bool) -> list[str]:  # noqa: FBT001
    again = f" Press Ctrl-C again within {AGAIN_SECONDS:.0f} s to cancel it."
    progress = job_progress(job)
    reached = "" if progress == NONE else f" ({progress})"
    key, hint = job.key, again if can_repeat else ""
    return [
        f"Detached. {job.label} is still {job.state.lower()}{reached}.{hint}",
        f"  orch logs -f {key}   watch it again",
        f"  orch wait {key}      block until done, exit code = outcome",
        f"  orch cancel {key}    stop it; finished rows are kept",
    ]
