"""What never happens, whatever happens: random stories, checked after every event."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.lifecycle.machine import MAX_RESTARTS
from orchestrator.lifecycle.states import State
from tests.lifecycle.told import Told

_EVENTS = [
    "planned {n}",
    "no place",
    "refused",
    "gave up E204",
    "ready {r}",
    "failed {r} E102",
    "failed {r} E501",
    "failed {r} E103 everywhere",
    "lost {r}",
    "lost {r} gone",
    "ended",
    "ended E404",
    "ended stopped",
    "runner lost",
    "cancel",
    "cancel force",
    "restarted",
]
# Endings are left out here, or most stories would be short.
_ONWARD = ["planned {n}", "ready {r}", "ready {r}", "lost {r}", "lost {r} gone"]
_ONWARD += ["failed {r} E102", "runner lost", "restarted"]


def _stories(events: list[str]) -> st.SearchStrategy[list[str]]:
    event = st.builds(
        lambda text, r: text.format(r=r, n=r + 1),
        st.sampled_from(events),
        st.integers(0, 2),
    )
    return st.lists(event, max_size=40)


_ANY = _stories(_EVENTS) | _stories(_ONWARD)


def _after(story: list[str]) -> Told:
    told = Told()
    for event in story:
        told.tell(event)
    return told


@given(_ANY)
def test_no_story_breaks_a_promise(story: list[str]) -> None:
    _after(story)  # Told checks them all after every event.


@given(_ANY)
def test_no_job_hangs_without_replica_and_runner(story: list[str]) -> None:
    told = _after(story)
    machine = told.machine
    assert (
        machine.state.final
        or machine.state is State.PENDING
        or told.held
        or told.runner
    )


@given(_ANY, st.sampled_from(["cancel", "cancel force"]))
def test_no_cancel_goes_unheard(story: list[str], cancel: str) -> None:
    told = _after(story)
    before, outcome = told.machine.state, told.machine.outcome
    told.tell(cancel)
    if not told.machine.state.final:
        assert told.machine.state is State.STOPPING
        told.tell("ended stopped")
    if not before.final:
        wanted = outcome if before is State.STOPPING else State.CANCELLED
        assert told.machine.state is wanted


@given(_ANY)
def test_no_replica_and_no_runner_is_started_for_ever(story: list[str]) -> None:
    told = _after(story)
    restarts = told.machine.restarts
    assert restarts.get("runner", 0) <= MAX_RESTARTS + 1
    assert all(n <= 1 + MAX_RESTARTS for n in told.starts.values())


@given(_ANY)
def test_no_fault_is_told_of_a_job_that_did_not_fail(story: list[str]) -> None:
    machine = _after(story).machine
    if machine.state in (State.SUCCEEDED, State.CANCELLED):
        assert machine.faults == ()
    if machine.state is State.FAILED:
        assert machine.faults
