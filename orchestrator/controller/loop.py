"""The controller's one thread of decisions, and the threads that act for it.

What has to be decided is put into the inbox as a call; it runs alone, in order. What
takes time runs in the pool and puts its outcome back into the inbox. What is due later
waits among the timers.
"""

from __future__ import annotations

import queue
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from orchestrator.controller.timers import Timer, Timers
from orchestrator.errors import Code, Fault, OrchError

T = TypeVar("T")


def bug(error: Exception) -> Fault:
    """What nobody has foreseen, as a fault that the user can report."""
    return Fault(Code.BUG, f"{type(error).__name__}: {error}")


MAX_EFFECTS = 64


class Loop:
    """Decisions one at a time, effects beside them."""

    def __init__(self) -> None:
        self._inbox: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._pool = ThreadPoolExecutor(MAX_EFFECTS, thread_name_prefix="effect")
        self.timers = Timers()
        self.stopped = threading.Event()

    def run(self) -> None:
        """Decide until stopped."""
        while True:
            wait_s = self._until_due()
            # Asked first: an inbox that is never empty must not hold timers up.
            if wait_s == 0:
                _run(self.timers.pop())
                continue
            try:
                decision = self._inbox.get(timeout=wait_s)
            except queue.Empty:
                continue
            if decision is None:
                return
            _run(decision)

    def later(self, delay_s: float, decision: Callable[[], None]) -> Timer:
        """Have this run on the loop's thread after a while; call it from there."""
        return self.timers.add(time.monotonic() + max(0.0, delay_s), decision)

    def _until_due(self) -> float | None:
        due = self.timers.next_due()
        return None if due is None else max(0.0, due - time.monotonic())

    def stop(self) -> None:
        """End `run` after what is in the inbox."""
        self.stopped.set()
        self._inbox.put(None)
        self._pool.shutdown(wait=False, cancel_futures=True)

    def post(self, decision: Callable[[], None]) -> None:
        """Have this run on the loop's thread, soon."""
        self._inbox.put(decision)

    def ask(self, question: Callable[[], T]) -> T:
        """What this returns on the loop's thread. Not to be called from there.

        Raises:
            OrchError: E302, the loop was stopped: nobody would answer.
        """
        if self.stopped.is_set():
            raise OrchError.of(
                Code.CONTROLLER_UNREACHABLE, "the controller is shutting down"
            )
        answer: Future[T] = Future()

        def decide() -> None:
            try:
                answer.set_result(question())
            except BaseException as error:  # noqa: BLE001 - it belongs to who asked
                answer.set_exception(error)

        self.post(decide)
        return answer.result()

    def effect(
        self,
        act: Callable[[], T],
        then: Callable[[T], None],
        otherwise: Callable[[Exception], None] | None = None,
    ) -> None:
        """Act in the pool; what it returns is decided upon on the loop's thread.

        Args:
            act: What takes time; foreseen failures are among its values.
            then: Gets what it returned.
            otherwise: Gets what it raised, so that nobody waits for ever.
        """

        def work() -> None:
            try:
                outcome = act()
            except Exception as error:  # noqa: BLE001 - it is a bug, but others go on
                traceback.print_exc()
                if otherwise is not None:
                    self.post(partial(otherwise, error))
                return
            self.post(lambda: then(outcome))

        if not self.stopped.is_set():
            self._pool.submit(work)

    def thread(self, act: Callable[[], None], name: str) -> None:
        """Act in a thread of its own, for what lasts as long as a job."""
        threading.Thread(target=act, name=name, daemon=True).start()


def _run(decision: Callable[[], None]) -> None:
    try:
        decision()
    except Exception:  # noqa: BLE001 - one bad job must not end the others
        traceback.print_exc()
