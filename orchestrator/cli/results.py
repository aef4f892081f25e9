"""`orch results`: where they are, or the rows themselves."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import click

from orchestrator.cli.session import Session, with_session
from orchestrator.client.client import Client
from orchestrator.client.results import (
    FAILED,
    MANIFEST,
    partial_rows,
    result_rows,
    results_path,
)
from orchestrator.client.select import select
from orchestrator.client.views import JobView
from orchestrator.errors import Code, OrchError
from orchestrator.render.results import results_lines


@click.command(
    "results",
    epilog="""\b
Examples:
  orch results 42
  orch results last --head 3
  orch results 42 --partial | wc -l      while it runs
  cp "$(orch results 42 --path)" .""",
)
@click.argument("selector", metavar="JOB")
@click.option(
    "--head", type=click.IntRange(min=0), metavar="N", help="Print the first N rows."
)
@click.option("--failed", is_flag=True, help="Print the rows that failed, and why.")
@click.option("--partial", is_flag=True, help="Print the rows that are done so far.")
@click.option(
    "--path", "only_path", is_flag=True, help="Print only the path of the results."
)
@with_session
def command(  # noqa: PLR0913, RUF100
    session: Session,
    *,
    selector: str,
    head: int | None,
    failed: bool,
    partial: bool,
    only_path: bool,
) -> int:
    """Show where a job's results are, or print them, in the order of the input."""
    with Client.connect(session.folder) as client:
        job = select(client, selector)
    if (job.command or job.tasks) and not session.as_json:
        raise _no_rows(job)
    rows = _rows(job, head, failed=failed, partial=partial)
    if session.as_json:
        found = None if rows is None else [json.loads(row) for row in rows]
        session.answer("results", {**_document(job), "rows": found})
    elif rows is not None:
        session.write_all(rows)
    elif only_path or session.quiet:
        session.write(str(results_path(job)))
    else:
        session.write_all(results_lines(job))
    return 0


def _rows(
    job: JobView, head: int | None, *, failed: bool, partial: bool
) -> Iterator[str] | None:
    """The rows that are asked for as JSON Lines; `None` if none are."""
    if failed:
        path = Path(job.output) / FAILED
        return islice(_lines(path) if path.is_file() else iter(()), head)
    if partial:
        return islice(_dumped(partial_rows(job)), head)
    return None if head is None else islice(_whole(job), head)


def _whole(job: JobView) -> Iterator[str]:
    path = results_path(job)
    # A line that is there is passed on as it is: no number changes its digits.
    return _dumped(result_rows(job)) if path.suffix == ".parquet" else _lines(path)


def _dumped(rows: Iterable[dict[str, Any]]) -> Iterator[str]:
    for row in rows:
        yield json.dumps(row, ensure_ascii=False, default=str)


def _lines(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            yield line.rstrip("\n")


def _document(job: JobView) -> dict[str, object]:
    folder = Path(job.output)
    manifest, failed = folder / MANIFEST, folder / FAILED
    there = bool(job.output)
    return {
        "job": job.document,
        "results": job.results,
        "failed": str(failed) if there and failed.is_file() else None,
        "manifest": json.loads(manifest.read_text("utf-8"))
        if there and manifest.is_file()
        else None,
    }


def _no_rows(job: JobView) -> OrchError:
    if job.tasks is not None:
        what = "results" if job.command is None else "logs"
        return OrchError.of(
            Code.WRONG_STATE,
            f"{job.label.lower()} is an array: its tasks have {what} of their own",
            facts=(f"they are in {job.output}",) if job.command is None else (),
            fix=f"orch {what} {job.key}.0, and so on",
        )
    return OrchError.of(
        Code.WRONG_STATE,
        f"{job.label.lower()} is a {job.kind} and has no rows",
        fix=f"orch logs {job.key}   what it wrote",
    )
