"""`orch results`: where they are, or the rows themselves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import click

from orchestrator.cli.session import Session, with_session
from orchestrator.client.client import Client
from orchestrator.client.select import select
from orchestrator.client.views import JobView
from orchestrator.errors import Code, OrchError
from orchestrator.render.results import FAILED, MANIFEST, results_lines


@click.command(
    "results",
    epilog="""\b
Examples:
  orch results 42
  orch results last --head 3
  cp "$(orch results 42 --path)" .""",
)
@click.argument("selector", metavar="JOB")
@click.option(
    "--head", type=click.IntRange(min=0), metavar="N", help="Print the first N rows."
)
@click.option("--failed", is_flag=True, help="Print the rows that failed, and why.")
@click.option(
    "--path", "only_path", is_flag=True, help="Print only the path of the results."
)
@with_session
def command(
    session: Session,
    *,
    selector: str,
    head: int | None,
    failed: bool,
    only_path: bool,
) -> int:
    """Show where a job's results are, or print them."""
    with Client.connect(session.folder) as client:
        job = select(client, selector)
    if session.as_json:
        session.answer("results", _document(job))
    elif failed:
        session.write_all(islice(_failed_rows(job), head))
    elif head is not None:
        session.write_all(islice(_rows(_results(job)), head))
    elif only_path or session.quiet:
        session.write(str(_results(job)))
    else:
        session.write_all(results_lines(job))
    return 0


def _document(job: JobView) -> dict[str, object]:
    folder = Path(job.output)
    manifest = folder / MANIFEST
    return {
        "job": job.document,
        "results": job.results,
        "failed": str(folder / FAILED) if (folder / FAILED).is_file() else None,
        "manifest": json.loads(manifest.read_text("utf-8"))
        if manifest.is_file()
        else None,
    }


def _results(job: JobView) -> Path:
    if job.results is None:
        raise OrchError.of(
            Code.WRONG_STATE,
            f"job {job.id} is {job.state} and has no results file",
            fix=f"orch {'status' if job.state.final else 'wait'} {job.id}",
        )
    return _there(Path(job.results))


def _there(path: Path) -> Path:
    if not path.is_file():
        raise OrchError.of(
            Code.FILE_NOT_FOUND,
            f"{path} is not there",
            facts=("it was written where the controller runs",),
            fix="ask on that machine, or see whether it was moved",
        )
    return path


def _failed_rows(job: JobView) -> Iterator[str]:
    path = Path(job.output) / FAILED
    return _rows(path) if path.is_file() else iter(())


def _rows(path: Path) -> Iterator[str]:
    if path.suffix == ".parquet":
        return _parquet_rows(path)
    return _lines(path)


def _lines(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            yield line.rstrip("\n")


def _parquet_rows(path: Path) -> Iterator[str]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=256):
            for row in batch.to_pylist():
                yield json.dumps(row, ensure_ascii=False, default=str)
