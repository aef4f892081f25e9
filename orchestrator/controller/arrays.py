"""Arrays: a job whose tasks run; its state and its counts follow from theirs."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping

from orchestrator.controller.clock import now
from orchestrator.controller.core import Core
from orchestrator.controller.store import JobRow, Standing
from orchestrator.errors import Code, OrchError
from orchestrator.lifecycle.key import JobKey
from orchestrator.lifecycle.states import State

_WORST_FIRST = (
    State.FAILED,
    State.LOST,
    State.TIMEOUT,
    State.CANCELLED,
    State.SKIPPED,
    State.SUCCEEDED,
)


def array_state(counts: Mapping[State, int]) -> State:
    """What an array is whose tasks are so many in each state.

    It is over when all of them are; then it is what the worst of them is.
    """
    alive = [state for state, n in counts.items() if n and not state.final]
    if not alive:
        return next((s for s in _WORST_FIRST if counts.get(s)), State.SUCCEEDED)
    ended = any(n and state.final for state, n in counts.items())
    begun = ended or any(state is not State.PENDING for state in alive)
    return State.RUNNING if begun else State.PENDING


class Arrays:
    """Keeps the rows of arrays in step with their tasks. On the loop's thread."""

    def __init__(self, core: Core, ended: Callable[[int, State], None]) -> None:
        """Begin.

        Args:
            core: The controller's state.
            ended: Told of each array that is over.
        """
        self._core = core
        self._ended = ended
        self._late: set[JobKey] = set()
        """Arrays whose newest state the disk has refused."""

    def task_changed(self, key: JobKey) -> None:
        """A task came into another state."""
        try:
            ended = self._save(key.whole)
        except OrchError as error:
            if error.fault.code is not Code.WRONG_STATE:
                raise
            traceback.print_exc()
            self._late.add(key.whole)
            return
        self._core.changes.notify(key.whole)
        # Not before that is written: it starts other jobs.
        if ended is not None:
            self._ended(key.number, ended)

    def save_again(self) -> None:
        """Write what the disk has refused."""
        late, self._late = self._late, set()
        for key in late:
            self.task_changed(key)

    def _save(self, key: JobKey) -> State | None:
        """Store the array's state if it is another one; returns one that ends it."""
        store = self._core.store
        row = store.job(key)
        state = array_state(store.task_counts(key.number)) if row else None
        if row is None or state is None or state is row.state:
            return None
        with store.batch():
            store.save(key, _standing(row, state))
            if state.final:
                store.drop_secrets(key)
        return state if state.final and not row.state.final else None


def _standing(row: JobRow, state: State) -> Standing:
    version = row.view.get("version", 0) + 1
    return Standing(
        state=state,
        view={**row.view, "version": version},
        attempt=row.attempt,
        started_at=row.started_at or (now() if state is not State.PENDING else None),
        finished_at=now() if state.final else None,
    )
