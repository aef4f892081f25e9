"""The benchmark's parts: rivals that agree, orch's results read, one table."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from benchmarks.encoder import data as rows_of
from benchmarks.encoder.measure import (
    Sink,
    least_centred_cosine,
    least_cosine,
)
from benchmarks.encoder.model import (
    TINY,
    Encoder,
    load_encoder,
    write_model_folder,
)
from benchmarks.encoder.orch_case import job_document, sampled_vectors, timings
from benchmarks.encoder.peers import PEERS, Work
from benchmarks.encoder.process import PartError, run
from benchmarks.encoder.suite import Options, runs
from benchmarks.encoder.table import Measured, markdown, ratios
from benchmarks.encoder_scaling import main
from orchestrator.spec.job import BatchJob

SEED = 5
ROWS = 24


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("model")
    write_model_folder(made, TINY, SEED)
    return made


def work(folder: Path, case: str = "skewed", rows: int = ROWS) -> Work:
    return Work(folder, ("cpu", "cpu"), case, rows, 7, TINY.vocab_size, SEED, 1)


def alone(
    folder: Path, task: Work
) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Every row on its own, so without padding."""
    encoder, data = load_encoder(folder, "cpu"), task.data()
    with torch.inference_mode():
        parts = [
            encoder(torch.from_numpy(rows_of.padded(data, np.array([i]))[0])).numpy()
            for i in range(task.rows)
        ]
    return np.concatenate(parts)


@pytest.mark.parametrize(
    ("setup", "case"), [("loop", "fixed"), ("loop", "skewed"), ("threads", "skewed")]
)
def test_a_rival_gives_the_vectors_of_rows_on_their_own(
    folder: Path, setup: str, case: str
) -> None:
    task, sink = work(folder, case), Sink(stride=1)

    PEERS[setup](task, sink)

    vectors = np.stack([sink.kept[i] for i in range(ROWS)])
    assert sum(rows for _, rows in sink.done) == ROWS
    assert least_centred_cosine(vectors, alone(folder, task)) > 0.9999


def test_the_padding_of_a_batch_changes_nothing(folder: Path) -> None:
    encoder: Encoder = load_encoder(folder, "cpu")
    ids = torch.tensor([[2, 7, 8, 3, 0, 0], [2, 9, 10, 11, 12, 3]])
    with torch.inference_mode():
        padded = encoder(ids, torch.tensor([4, 6]))[0]
        whole = encoder(ids[:1, :4])[0]
    torch.testing.assert_close(padded, whole)


def test_the_centred_cosine_tells_rows_apart(folder: Path) -> None:
    task = work(folder)
    vectors = alone(folder, task)
    swapped = vectors[[1, 0, *range(2, ROWS)]]

    assert least_cosine(vectors, vectors) == pytest.approx(1)
    assert least_centred_cosine(swapped, vectors) < 0.9


def test_the_job_file_is_one(folder: Path) -> None:
    job = BatchJob.model_validate(job_document(work(folder), folder))

    assert job.resources.gpus.maximum == 2
    assert job.output.format == "parquet"


def test_orchs_results_must_be_the_rows_in_order(tmp_path: Path) -> None:
    task, path = work(tmp_path, rows=3), tmp_path / "results.parquet"
    vectors = [[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]]

    pq.write_table(pa.table({"id": [0, 1, 2], "vector": vectors}), path)
    assert sampled_vectors(path, task).tolist() == vectors

    pq.write_table(pa.table({"id": [0, 2, 1], "vector": vectors}), path)
    with pytest.raises(PartError, match="in order"):
        sampled_vectors(path, task)


def test_orchs_timings_are_events(tmp_path: Path) -> None:
    path = tmp_path / "timings.jsonl"
    path.write_text('{"t": 1.5, "rows": 7, "replica": 0, "tokens": null}\n')

    assert timings(path) == [(1.5, 7)]


def test_a_part_that_fails_or_hangs_is_an_error_with_its_log(tmp_path: Path) -> None:
    with pytest.raises(PartError, match=r"exited with 3\nlast words"):
        run(
            ["sh", "-c", "echo last words; exit 3"],
            tmp_path / "log",
            env={},
            limit_s=20,
        )
    with pytest.raises(PartError, match="ran out of time"):
        run(
            ["sh", "-c", "cat /dev/zero > /dev/null"],
            tmp_path / "log",
            env={},
            limit_s=1,
        )


def test_orch_runs_on_each_number_of_gpus_and_rivals_on_all() -> None:
    options = Options(
        ("loop", "dataparallel", "static", "orch"),
        ("fixed",),
        (1, 2, 4),
        rows=100,
        seconds=0,
        batch=8,
        shape=TINY,
        device="cuda",
        limit_s=1,
    )
    assert [(r.setup, r.gpus, r.rows) for r in runs(options)] == [
        ("loop", 1, 100),
        ("dataparallel", 4, 400),
        ("static", 4, 400),
        ("orch", 1, 100),
        ("orch", 2, 200),
        ("orch", 4, 400),
    ]


def test_the_table_has_the_cases_side_by_side() -> None:
    results = [
        Measured("loop", 1, "fixed", 1_000, rate=100.0, whole_s=10.0),
        Measured("orch", 1, "fixed", 1_000, rate=99.0, whole_s=12.0),
        Measured("orch", 2, "fixed", 2_000, rate=198.0, whole_s=12.0),
        Measured("loop", 1, "skewed", 1_000, rate=50.0, whole_s=20.0),
        Measured("orch", 1, "skewed", 1_000, error="lost"),
    ]
    lines = markdown(results).splitlines()

    assert lines[3] == "| **orch** | 1 | 99 | 0.990 | 12.0 s for 1,000 | failed |  |  |"
    assert ratios(results) == {
        "128 tokens: orch on 1 / loop": pytest.approx(0.99),
        "128 tokens: orch on 2 / orch on 1": pytest.approx(2.0),
    }


@pytest.mark.ray
def test_the_program_measures_rivals_in_processes_of_their_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved = tmp_path / "results.json"
    chosen = ["--only", "loop,ray,static", "--case", "skewed", "--rows", "200"]

    code = main(["--smoke", *chosen, "--json", str(saved)])

    results = json.loads(saved.read_text())["results"]
    assert [(r["setup"], r["error"]) for r in results] == [
        ("loop", ""),
        ("ray", ""),
        ("static", ""),
    ]
    assert code == 0
    assert all(r["rate"] > 0 and r["centred"] > 0.999 for r in results)
    assert "| plain Ray actors | 2 |" in capsys.readouterr().out
