"""The jobs that wait for a place, as light entries: who is next, who stands aside.

A hundred thousand jobs may wait: an entry is a few numbers, the rest is in the store.
Belongs to the loop's thread.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import islice

from orchestrator.lifecycle.key import JobKey
from orchestrator.lifecycle.states import State
from orchestrator.spec.job import When


class Pool(StrEnum):
    """What a job waits for: jobs without GPUs never wait for GPUs."""

    GPU = "gpu"
    CPU = "cpu"


@dataclass(frozen=True, slots=True)
class Entry:
    """A job that waits.

    Attributes:
        key: Which.
        priority: Higher goes first.
        seq: Order of submission.
        pool: What it waits for.
        cpus: Cores it needs; of a job without GPUs.
        memory_bytes: Host memory it needs; of a job without GPUs.
        after: Jobs that must end before, and how.
        limit: How many tasks of its array may run at a time; 0: no limit.
    """

    key: JobKey
    priority: int
    seq: int
    pool: Pool
    cpus: float = 1.0
    memory_bytes: int = 0
    after: tuple[tuple[int, When], ...] = ()
    limit: int = 0

    @property
    def place(self) -> tuple[int, int, int]:
        """Its place in the order: priority, then time, then the task's number."""
        return (-self.priority, self.seq, self.key.task)

    def waiting_for(self, after: Mapping[int, When]) -> Entry:
        """The same job, behind these."""
        return replace(self, after=tuple(after.items()))


@dataclass(slots=True)
class _Array:
    """The tasks of an array with a limit: those that run, those held back."""

    limit: int
    out: set[JobKey] = field(default_factory=set)
    """Let through: in the order, or running."""
    held: deque[JobKey] = field(default_factory=deque)


class JobQueue:
    """Entries in order; those that may not start yet stand aside."""

    def __init__(self) -> None:
        self._entries: dict[JobKey, Entry] = {}
        self._order: dict[Pool, list[tuple[int, int, int]]] = {p: [] for p in Pool}
        self._keys: dict[tuple[int, int, int], JobKey] = {}
        self._open: dict[JobKey, dict[int, When]] = {}
        self._dependents: dict[int, set[JobKey]] = {}
        self._arrays: dict[int, _Array] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: JobKey) -> bool:
        return key in self._entries

    def entry(self, key: JobKey) -> Entry | None:
        """The entry of a job, if it waits."""
        return self._entries.get(key)

    def keys(self) -> Iterator[JobKey]:
        """All jobs that wait, in no order."""
        return iter(self._entries)

    # --- changes ----------------------------------------------------------------------

    def add(self, entry: Entry, ended: Collection[int] = ()) -> None:
        """Let a job wait.

        Args:
            entry: The job.
            ended: Those of its `after` that have ended, as it asks.
        """
        self._entries[entry.key] = entry
        wanted = {job: when for job, when in entry.after if job not in ended}
        if wanted:
            self._open[entry.key] = wanted
            for job in wanted:
                self._dependents.setdefault(job, set()).add(entry.key)
        self._settle(entry)

    def runs(self, key: JobKey, limit: int) -> None:
        """A task of an array with a limit runs already: it counts until `finished`."""
        self._arrays.setdefault(key.number, _Array(limit)).out.add(key)

    def remove(self, key: JobKey) -> Entry | None:
        """Take a job out: it starts, or will not."""
        entry = self._entries.pop(key, None)
        if entry is None:
            return None
        self._unlist(entry)
        for job in self._open.pop(key, {}):
            self._dependents.get(job, set()).discard(key)
        return entry

    def finished(self, key: JobKey) -> None:
        """A job that was taken out is over: the next task of its array may go."""
        array = self._arrays.get(key.number)
        if array is None:
            return
        array.out.discard(key)
        while array.held and len(array.out) < array.limit:
            entry = self._entries.get(array.held.popleft())
            if entry is not None:
                self._settle(entry)
        if not array.held and not array.out:
            del self._arrays[key.number]

    def ended(self, number: int, state: State) -> list[JobKey]:
        """A whole job has ended; the jobs that can never start because of that."""
        never: list[JobKey] = []
        for key in sorted(self._dependents.pop(number, ())):
            when = self._open[key].pop(number)
            if not when.allows(str(state)):
                never.append(key)
            elif not self._open[key]:
                del self._open[key]
                self._settle(self._entries[key])
        return never

    # --- questions --------------------------------------------------------------------

    def window(self, pool: Pool, count: int) -> list[Entry]:
        """The first jobs that may start, in order."""
        first = islice(self._order[pool], count)
        return [self._entries[self._keys[place]] for place in first]

    def position(self, key: JobKey) -> int | None:
        """From 1; `None` for a job that may not start yet."""
        entry = self._entries.get(key)
        if entry is None or entry.place not in self._keys:
            return None
        return bisect_left(self._order[entry.pool], entry.place) + 1

    def first(self, key: JobKey) -> JobKey | None:
        """The job at the front of the queue that this one is in."""
        entry = self._entries.get(key)
        places = self._order[entry.pool] if entry else []
        return self._keys[places[0]] if places else None

    def open_after(self, key: JobKey) -> dict[int, When]:
        """The jobs it still waits for."""
        return self._open.get(key, {})

    def held_by_limit(self, key: JobKey) -> int:
        """The limit of its array, if that is what holds it; else 0."""
        array = self._arrays.get(key.number)
        waits = array is not None and key not in array.out and key in self._entries
        return array.limit if array is not None and waits else 0

    # --- inside -----------------------------------------------------------------------

    def _settle(self, entry: Entry) -> None:
        """Put an entry in order, unless it must stand aside."""
        if entry.key in self._open:
            return
        if self._let_through(entry) and entry.place not in self._keys:
            insort(self._order[entry.pool], entry.place)
            self._keys[entry.place] = entry.key

    def _let_through(self, entry: Entry) -> bool:
        if not entry.limit:
            return True
        array = self._arrays.setdefault(entry.key.number, _Array(entry.limit))
        if entry.key in array.out:
            return True
        if len(array.out) < array.limit:
            array.out.add(entry.key)
            return True
        array.held.append(entry.key)
        return False

    def _unlist(self, entry: Entry) -> None:
        if self._keys.pop(entry.place, None) is None:
            return
        order = self._order[entry.pool]
        del order[bisect_left(order, entry.place)]
