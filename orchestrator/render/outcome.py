"""How a job ended, what came of it, and what to do next."""

from __future__ import annotations

from orchestrator.client.views import JobView
from orchestrator.lifecycle.states import State
from orchestrator.render.progress import ended_text, tasks_text
from orchestrator.units import format_count, format_duration

_STYLES = {State.SUCCEEDED: "green", State.FAILED: "bold red", State.LOST: "bold red"}
_MARKS = {State.SUCCEEDED: "✓ ", State.FAILED: "✗ ", State.LOST: "✗ "}


def outcome_style(job: JobView) -> str:
    """The colour of its last line; the state is always said in words too."""
    return _STYLES.get(job.state, "yellow")


def outcome_line(job: JobView) -> str:
    """`✓ Job 42 succeeded in 4m21s · 11,996 ok, 4 failed rows`."""
    joint = "in" if job.state is State.SUCCEEDED else "after"
    mark, verb = _MARKS.get(job.state, ""), _verb(job)
    took = format_duration(job.seconds)
    text = f"{mark}{job.label} {verb} {joint} {took}"
    came = came_of(job)
    return f"{text} · {came}" if came else text


def came_of(job: JobView) -> str:
    """What a job has to show: rows, tasks, or how its command ended."""
    if job.tasks is not None:
        return tasks_text(job.tasks)
    if job.command is not None:
        return "" if job.state is State.SUCCEEDED else ended_text(job.command)
    # Of one that never began no row is known.
    unknown = job.progress.rows_total is None and not job.progress.rows_done
    return "" if unknown else rows_text(job)


def rows_text(job: JobView) -> str:
    """`4,655 ok, 2 failed rows, 7,343 not run`."""
    progress = job.progress
    noun = "row" if progress.rows_failed == 1 else "rows"
    text = f"{format_count(progress.rows_ok)} ok"
    text += f", {format_count(progress.rows_failed)} failed {noun}"
    if progress.rows_reused:
        text += f", {format_count(progress.rows_reused)} from an earlier run"
    if progress.rows_left:
        text += f", {format_count(progress.rows_left)} not run"
    return text


def next_commands(job: JobView) -> list[str]:
    """What one may want to do now that the job has ended, aligned."""
    commands = [*_rows_next(job), *_again(job)]
    width = max((len(command) for command, _why in commands), default=0)
    return [f"  {command:<{width}}   {why}" for command, why in commands]


def _rows_next(job: JobView) -> list[tuple[str, str]]:
    commands = []
    if job.results and job.progress.rows_ok:
        commands.append((f"orch results {job.key} --head 3", "look at the first rows"))
    if job.progress.rows_failed:
        commands.append(
            (f"orch results {job.key} --failed", "rows that failed, and why")
        )
    return commands


def _again(job: JobView) -> list[tuple[str, str]]:
    if job.state is State.SUCCEEDED:
        return []
    if job.tasks is not None:
        return [
            (f"orch status {job.key} -s failed", "which tasks failed, and why"),
            (f"orch retry {job.key}", "those that did not succeed again"),
        ]
    commands = [(f"orch explain {job.key}", "what happened, and why")]
    commands.append((f"orch retry {job.key}", _retried(job)))
    return commands


def _retried(job: JobView) -> str:
    kept = job.progress.rows_ok
    if not kept:
        return "run it once more"
    return f"goes on where it was: {format_count(kept)} rows are kept"


def _verb(job: JobView) -> str:
    match job.state:
        case State.TIMEOUT if job.cause == "queue_timeout":
            return "was given up in the queue"
        case State.TIMEOUT:
            return "ran out of time"
        case State.LOST:
            return "was lost"
        case State.SKIPPED:
            return "was skipped"
        case _:
            return job.state.lower()
