from __future__ import annotations

from pathlib import Path

from orchestrator.controller.actor import set_old_jobs_aside


def test_files_of_jobs_without_a_database_are_kept_out_of_the_way(
    tmp_path: Path,
) -> None:
    log = tmp_path / "jobs" / "1" / "attempt-1" / "rank-0.log"
    log.parent.mkdir(parents=True)
    log.write_text("said before")
    set_old_jobs_aside(tmp_path)
    assert not (tmp_path / "jobs").exists()
    (kept,) = tmp_path.glob("jobs-before-*/1/attempt-1/rank-0.log")
    assert kept.read_text() == "said before"


def test_files_of_jobs_that_are_known_stay(tmp_path: Path) -> None:
    (tmp_path / "jobs").mkdir()
    (tmp_path / "orch.db").touch()
    set_old_jobs_aside(tmp_path)
    assert (tmp_path / "jobs").exists()
