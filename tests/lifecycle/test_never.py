"""What never happens, whatever happens: random stories, checked after every event."""

from __future__ import annotations

import json
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.lifecycle.machine import MAX_RESTARTS, JobMachine, Rules
from orchestrator.lifecycle.states import State
from orchestrator.spec.header import Retry
from tests.lifecycle.spoken import event_of
from tests.lifecycle.told import Told

_COMMON = """
    no place, refused, gave up E204, cancel, cancel force, cancel 5, restarted,
    over queue, over start, over run, over run @1, grace over, grace over @1, due,
    due @1, retry, after 41 FAILED
"""
_BATCH = """
    planned {n}, ready {r}, failed {r} E102, failed {r} E501, failed {r} E104,
    failed {r} E103 everywhere, failed {r} E105, lost {r}, lost {r} gone, ended,
    lost {r} E104, ended E404, ended E401, ended stopped, runner lost
"""
_COMMAND = """
    pid 7, pid 7 @1, exit 0, exit 0 @1, exit 3, exit 33, killed, gone E501,
    gone E501 @1, gone E502, gone E204
"""
# Endings are left out here, or most stories would be short.
_BATCH_ONWARD = """
    planned {n}, ready {r}, ready {r}, lost {r}, lost {r} gone, failed {r} E102,
    failed {r} E105, runner lost, restarted, due
"""
_COMMAND_ONWARD = "planned, pid 7, gone E501, exit 33, due, restarted, over run, killed"


class Tale(NamedTuple):
    """Events, and the job they happen to."""

    rules: Rules
    events: list[str]


def _stories(*words: str) -> st.SearchStrategy[list[str]]:
    events = [event.strip() for group in words for event in group.split(",")]
    event = st.builds(
        lambda text, r: text.format(r=r, n=r + 1),
        st.sampled_from(events),
        st.integers(0, 2),
    )
    return st.lists(event, max_size=40)


_RETRIES = st.builds(
    Retry,
    max=st.integers(0, 3),
    on=st.sampled_from([(), ("node_lost", "worker_died"), ("error", "timeout")]),
    exit_codes=st.sampled_from([(), (33,)]),
)
_BATCHES = st.builds(
    Tale,
    st.builds(Rules, st.just("batch"), _RETRIES),
    _stories(_COMMON, _BATCH) | _stories(_BATCH_ONWARD) | _stories(_COMMAND, _BATCH),
)
_COMMANDS = st.builds(
    Tale,
    st.builds(Rules, st.just("command"), _RETRIES),
    _stories(_COMMON, "planned", _COMMAND) | _stories(_COMMAND_ONWARD),
)
_ANY = _BATCHES | _COMMANDS


def _after(tale: Tale) -> Told:
    told = Told(JobMachine(tale.rules))
    for event in tale.events:
        told.tell(event)
    return told


def _rested(told: Told) -> str:
    return "ended stopped" if told.machine.rules.kind == "batch" else "killed"


@given(_ANY)
def test_no_story_breaks_a_promise(tale: Tale) -> None:
    _after(tale)  # Told checks them all after every event.


@given(_ANY, st.sampled_from(["cancel", "cancel force"]))
def test_no_cancel_goes_unheard(tale: Tale, cancel: str) -> None:
    told = _after(tale)
    before, ending = told.machine.state, told.machine.ending
    told.tell(cancel)
    if not told.machine.state.final:
        assert told.machine.state is State.STOPPING
        told.tell(_rested(told))
    if before.final:
        assert told.machine.state is before
    else:
        wanted = ending.state if ending else State.CANCELLED
        assert told.machine.state is wanted


@given(_ANY)
def test_no_job_waits_for_nothing(tale: Tale) -> None:
    told = _after(tale)
    for event in ("due", "planned 1", "over start", "over run", "grace over"):
        told.tell(event)
        if told.machine.state is State.STOPPING:
            assert told.work
            told.tell(_rested(told))
    assert told.machine.state.final or told.due


@given(_ANY)
def test_nothing_is_started_for_ever(tale: Tale) -> None:
    told = _after(tale)
    for tries in range(10):
        if told.machine.state.final:
            break
        assert tries <= told.machine.rules.retry.max + 1
        for event in ("due", "planned 1", "ready 0", "ended E401", "gone E501"):
            told.tell(event)
        if told.machine.state is State.STOPPING:
            told.tell(_rested(told))
    assert told.machine.state.final
    restarts = told.machine.restarts
    assert all(n <= MAX_RESTARTS + 1 for n in restarts.values())


@given(_ANY)
def test_no_fault_is_told_of_a_job_that_did_not_fail(tale: Tale) -> None:
    machine = _after(tale).machine
    if machine.state in (State.SUCCEEDED, State.CANCELLED, State.SKIPPED):
        assert machine.faults == ()
    elif machine.state.final:
        assert machine.faults
    if machine.state.final:
        assert (machine.why is None) == (machine.state is State.SUCCEEDED)


@given(_ANY, st.data())
def test_no_controller_that_comes_back_decides_otherwise(
    tale: Tale, data: st.DataObject
) -> None:
    told = _after(tale)
    machine = told.machine
    stored = json.loads(json.dumps(machine.to_json()))
    replicas = dict(machine.replicas)
    told.machine = JobMachine.restored(
        machine.rules, stored, replicas, running=machine.running
    )
    assert told.machine.to_json() == machine.to_json()
    for text in data.draw(_stories(_COMMON, _BATCH, _COMMAND)):
        event = event_of(text, machine)
        assert told.machine.handle(event) == machine.handle(event)
