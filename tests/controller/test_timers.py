"""What is due later, and what of it is left when it does not matter any more."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.controller.timers import KEPT, Timers
from tests.controller.plant import Plant


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans())))
def test_what_was_not_cancelled_is_done_in_order(
    wanted: list[tuple[int, bool]],
) -> None:
    timers, done = Timers(), list[tuple[int, int]]()
    made = [
        timers.add(due, lambda due=due, number=number: done.append((due, number)))  # type: ignore[misc]
        for number, (due, _) in enumerate(wanted)
    ]
    for timer, (_, cancelled) in zip(made, wanted, strict=True):
        if cancelled:
            timer.cancel()
            timer.cancel()
    while timers.next_due() is not None:
        timers.pop()()
    left = [(due, i) for i, (due, cancelled) in enumerate(wanted) if not cancelled]
    assert done == sorted(left)
    assert len(timers) == 0


def test_a_hundred_thousand_cancelled_ones_take_no_room() -> None:
    timers, far = Timers(), 86_400.0
    stays = timers.add(far, lambda: None)
    for number in range(100_000):
        timers.add(far + number, lambda: None).cancel()
        assert len(timers) <= KEPT + 2
    timers.pop()
    stays.cancel()
    assert timers.next_due() is None


def test_jobs_that_are_over_leave_no_timer_behind(two: Plant) -> None:
    limits = {"run": "24h", "queue": "24h"}
    retry = {"max": 1, "on": ["error"], "backoff": "0s..0s"}
    for _ in range(5):
        two.end(two.command(timeout=limits))
    job = two.command(timeout=limits, retry=retry)
    two.end(job, code=1)
    two.end(job, attempt=2)
    both = two.command(resources={"cpus": 2})
    two.started(both)
    array = two.command(timeout=limits, array={"range": "0-9"})
    never = two.command(timeout=limits, after=[f"{both}:fail"])
    assert two.core.loop.ask(lambda: len(two.service._perform.limits._armed)) == 11
    two.cancel(array)
    two.end(both)
    two.until_state(never, "SKIPPED")
    two.world.until(
        lambda: two.core.loop.timers.next_due() is None, "nothing is due any more"
    )
    assert not two.service._perform.limits._armed


def test_a_job_that_runs_keeps_its_limit(two: Plant) -> None:
    job = two.command(timeout={"run": "0.3s"}, grace="1h")
    two.started(job)
    two.end(two.command(timeout={"run": "24h"}))
    view = two.until_state(job, "TIMEOUT")
    assert view["cause"] == "timeout"
