"""Jobs that are submitted together and name each other in `after`: in which order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from heapq import heappop, heappush

from orchestrator.errors import Code, Fault, OrchError
from orchestrator.spec.document import Loc
from orchestrator.spec.loaded import LoadedJob
from orchestrator.spec.reread import fault_at
from orchestrator.spec.suggest import did_you_mean
from orchestrator.spec.words import plain

_MOST_NAMES = 20


def order_jobs(jobs: Sequence[LoadedJob]) -> tuple[LoadedJob, ...]:
    """The jobs so that each comes after those it names; else as they are given.

    Raises:
        OrchError: E203, a name that no job has or that two have, or jobs that wait for
            each other in a circle; with its place.
    """
    named: dict[str, list[int]] = {}
    for position, loaded in enumerate(jobs):
        named.setdefault(loaded.job.name, []).append(position)
    faults = [fault for loaded in jobs for fault in _unknown(loaded, named)]
    if faults:
        raise OrchError(tuple(faults))
    waits = {
        position: {named[name][0] for _, name in _names(loaded)}
        for position, loaded in enumerate(jobs)
    }
    try:
        return tuple(jobs[position] for position in _sorted(waits))
    except CycleError as error:
        raise OrchError((_circle(jobs, error.args[1][::-1]),)) from None


def _sorted(waits: Mapping[int, set[int]]) -> list[int]:
    sorter = TopologicalSorter(waits)
    sorter.prepare()
    order: list[int] = []
    ready: list[int] = []
    while sorter.is_active():
        for position in sorter.get_ready():
            heappush(ready, position)
        order.append(heappop(ready))
        sorter.done(order[-1])
    return order


def _names(loaded: LoadedJob) -> Iterator[tuple[Loc, str]]:
    """The jobs that it names, and where; ids are none."""
    for position, after in enumerate(loaded.job.after):
        if isinstance(after.job, str):
            yield ("after", position), after.job


def _unknown(loaded: LoadedJob, named: Mapping[str, Sequence[int]]) -> Iterator[Fault]:
    others = [other for other in named if other != loaded.job.name]
    for loc, name in _names(loaded):
        found = len(named.get(name, ()))
        if found == 1:
            continue
        message = f"{found or 'no'} jobs of this submit are named '{plain(name)}'"
        if not found:
            message += did_you_mean(name, others)
        shown = ", ".join(others[:_MOST_NAMES])
        fix = f"The others are: {shown}" if others else "An id is a number, such as 41."
        yield fault_at(loaded, loc, Code.BAD_VALUE, message, fix)


def _circle(jobs: Sequence[LoadedJob], circle: Sequence[int]) -> Fault:
    """Jobs that wait, each for the next, the last for the first."""
    shown = " → ".join(f"'{jobs[position].job.name}'" for position in circle)
    first, second = jobs[circle[0]], jobs[circle[1]].job.name
    loc = next(loc for loc, name in _names(first) if name == second)
    message = f"these jobs wait for each other: {shown}"
    return fault_at(first, loc, Code.BAD_VALUE, message)
