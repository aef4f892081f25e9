from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.engines.base import Held
from orchestrator.errors import Code, Fault
from orchestrator.runtime.progress import Progress, RunnerView

FAULT = Fault(Code.GPU_LOST, "gone")
PART = st.tuples(st.integers(0, 50), st.integers(0, 50), st.integers(0, 50))


@pytest.mark.parametrize(
    ("total", "done", "rate", "eta"),
    [
        (None, 10, 5.0, None),
        (100, 0, 0.0, None),
        (100, 50, 5.0, 10.0),
        (100, 100, 5.0, 0.0),
        # Rows were counted before the input grew.
        (100, 120, 5.0, 0.0),
    ],
)
def test_eta(total: int | None, done: int, rate: float, eta: float | None) -> None:
    view = RunnerView(rows_total=total, rows_done=done, rows_per_second=rate)
    assert view.eta_seconds == eta


@given(st.lists(PART, max_size=20))
def test_parts_add_up(parts: list[tuple[int, int, int]]) -> None:
    progress = Progress()
    versions = [progress.view.version]
    for new, failed, reused in parts:
        progress.part(new + reused, failed, reused, "a", Held())
        versions.append(progress.view.version)
        assert progress.view.rows_per_second >= 0
    view = progress.view
    assert view.rows_done == sum(new + failed + reused for new, failed, reused in parts)
    assert view.rows_failed == sum(failed for _, failed, _ in parts)
    assert view.rows_reused == sum(reused for _, _, reused in parts)
    assert versions == list(range(len(parts) + 1))
    assert (view.first_result_seconds is not None) == bool(parts)


def test_the_first_result_is_timed_once() -> None:
    progress = Progress()
    progress.part(1, 0, 0, "a", Held())
    first = progress.view.first_result_seconds
    progress.part(1, 0, 0, "a", Held())
    assert progress.view.first_result_seconds == first


def test_reused_rows_are_no_speed() -> None:
    progress = Progress()
    for _ in range(3):
        progress.part(1000, 0, 1000, "", Held())
    assert progress.view.rows_per_second == 0
    assert progress.view.eta_seconds is None


def test_the_rate_is_rows_over_the_time_they_took() -> None:
    progress = Progress()
    progress.part(8, 0, 0, "a", Held())
    first = progress.view.first_result_seconds
    assert first is not None
    # One part: over the time since the start, at least a millisecond.
    expected = 8 / max(1e-3, first)
    assert progress.view.rows_per_second == pytest.approx(expected, rel=0.1)


def test_peaks_are_kept_by_replica() -> None:
    progress = Progress()
    for replica, peak in (("b", 5), ("a", 7), ("b", 3), ("", 99)):
        progress.part(1, 0, 0, replica, Held(peak))
    assert progress.view.held == (("a", Held(7)), ("b", Held(5)))


def test_what_was_on_disk_counts_as_done() -> None:
    progress = Progress()
    progress.resumed(40, 3)
    progress.part(10, 0, 0, "a", Held())
    assert (progress.view.rows_done, progress.view.rows_failed) == (50, 3)


@pytest.mark.parametrize("what", ["part", "lost", "notice", "update", "resumed"])
def test_whatever_happens_wakes_who_watches(what: str) -> None:
    progress = Progress()
    before = progress.view.version
    with ThreadPoolExecutor(1) as pool:
        watching = pool.submit(progress.watch, before, 20.0)
        match what:
            case "part":
                progress.part(1, 0, 0, "a", Held())
            case "lost":
                progress.lost("a", FAULT)
            case "notice":
                progress.notice("text")
            case "resumed":
                progress.resumed(1, 0)
            case _:
                progress.update(phase="merging")
        assert watching.result(5).version == before + 1


def test_watch_answers_at_once_with_what_is_newer_already() -> None:
    progress = Progress()
    progress.lost("a", FAULT)
    progress.lost("b", FAULT)
    view = progress.watch(0, 20.0)
    assert view.lost == (("a", FAULT), ("b", FAULT))


def test_watch_gives_up_after_the_timeout() -> None:
    progress = Progress()
    assert progress.watch(0, 0.01) == RunnerView()
