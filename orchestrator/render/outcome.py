"""How a job ended, what came of it, and what to do next."""

from __future__ import annotations

from orchestrator.client.views import JobView
from orchestrator.lifecycle.states import State
from orchestrator.render.paths import short_path
from orchestrator.units import format_count, format_duration

_STYLES = {State.SUCCEEDED: "green", State.FAILED: "bold red"}
_MARKS = {State.SUCCEEDED: "✓ ", State.FAILED: "✗ "}


def outcome_style(job: JobView) -> str:
    """The colour of its last line; the state is always said in words too."""
    return _STYLES.get(job.state, "yellow")


def outcome_line(job: JobView) -> str:
    """`✓ Job 42 succeeded in 4m21s · 11,996 ok, 4 failed rows`."""
    joint = "in" if job.state is State.SUCCEEDED else "after"
    mark, state = _MARKS.get(job.state, ""), job.state.lower()
    took = format_duration(job.seconds)
    return f"{mark}Job {job.id} {state} {joint} {took} · {rows_text(job)}"


def rows_text(job: JobView) -> str:
    """`4,655 ok, 2 failed rows, 7,343 not run`."""
    progress = job.progress
    text = f"{format_count(progress.rows_ok)} ok"
    text += f", {format_count(progress.rows_failed)} failed rows"
    if progress.rows_reused:
        text += f", {format_count(progress.rows_reused)} from an earlier run"
    if progress.rows_left:
        text += f", {format_count(progress.rows_left)} not run"
    return text


def next_commands(job: JobView) -> list[str]:
    """What one may want to do now that the job has ended."""
    commands = []
    if job.results and job.progress.rows_ok:
        commands.append(f"  orch results {job.id} --head 3   look at the first rows")
    if job.progress.rows_failed:
        commands.append(f"  orch results {job.id} --failed   rows that failed, and why")
    if not job.results and job.progress.rows_ok:
        commands.append(
            f"  orch submit FILE -o {short_path(job.output)}   goes on where it was:"
            f" {format_count(job.progress.rows_ok)} rows are kept"
        )
    if job.state is not State.SUCCEEDED:
        commands.append(
            f"  orch status {job.id}             what happened, replica by replica"
        )
    return commands
