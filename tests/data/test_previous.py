from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from orchestrator.data.finished_rows import Positions
from orchestrator.data.folder import start_over
from orchestrator.data.previous import NOT_FOUND, Previous
from orchestrator.errors import Code, OrchError
from tests.data.runs import batch, vector_of

Format = Literal["jsonl", "parquet"]
TEXTS = st.lists(st.sampled_from(["a", "bb", "ccc", "bad", "é", "f f"]), max_size=12)
FORMATS = st.sampled_from(["jsonl", "parquet"])


def write_texts(path: Path, texts: list[str], *, ids: bool = False) -> Path:
    lines = (
        orjson.dumps({"id": f"id{i}", "text": text} if ids else {"text": text})
        for i, text in enumerate(texts)
    )
    path.write_bytes(b"\n".join(lines))
    return path


def results(root: Path) -> list[dict[str, Any]]:
    if (root / "results.jsonl").exists():
        assert not (root / "results.parquet").exists()
        lines = (root / "results.jsonl").read_bytes().splitlines()
        return [orjson.loads(line) for line in lines]
    rows: list[dict[str, Any]] = pq.read_table(root / "results.parquet").to_pylist()
    return rows


def expected(texts: list[str]) -> list[tuple[int, list[float]]]:
    vectors = [np.array(vector_of(text), np.float32).tolist() for text in texts]
    return [(i, v) for i, v in enumerate(vectors) if texts[i] != "bad"]


def check(root: Path, texts: list[str]) -> None:
    found = [
        (row["row"], np.array(row["embedding"], np.float32).tolist())
        for row in results(root)
    ]
    assert found == expected(texts)
    failed = (root / "failed.jsonl").read_bytes().splitlines()
    rows = [orjson.loads(line)["row"] for line in failed]
    assert rows == [i for i, text in enumerate(texts) if text == "bad"]


@settings(max_examples=40)
@given(TEXTS, TEXTS, TEXTS, st.integers(0, 4), FORMATS, FORMATS)
@example(["a", "bad"], ["bad", "é"], ["bad", "a", "é"], 1, "jsonl", "parquet")
def test_only_rows_that_are_new_run_whatever_became_of_the_input(
    first: list[str],
    second: list[str],
    third: list[str],
    stop_after: int,
    one_format: Format,
    other_format: Format,
) -> None:
    with TemporaryDirectory() as name:
        root = Path(name) / "out"
        file = Path(name) / "in.jsonl"
        assert batch(root, write_texts(file, first), "1", format=one_format) == first
        check(root, first)
        known = set(first) - {"bad"}
        partly = batch(root, write_texts(file, second), "2", stop_after=stop_after)
        seen = second[: 3 * stop_after]
        assert partly == [text for text in seen if text not in known]
        known |= set(seen) - {"bad"}
        ran = batch(root, write_texts(file, third), "3", format=other_format)
        assert ran == [text for text in third if text not in known]
        check(root, third)
        left = sorted(path.name for path in (root / ".orch").iterdir())
        index = ["index.json", "keys", "offsets", "run.json"]
        assert left == [
            n for n in index if n != "offsets" or (root / ".orch" / n).exists()
        ]


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_with_ids_a_row_is_found_by_its_id(tmp_path: Path, kind: Format) -> None:
    file = tmp_path / "in.jsonl"
    root = tmp_path / "out"
    batch(
        root, write_texts(file, ["a", "bb"], ids=True), "1", format=kind, id_field="id"
    )
    write_texts(file, ["a", "bb", "ccc"], ids=True)
    ran = batch(root, file, "2", format=kind, id_field="id")
    assert ran == ["ccc"]
    assert [row["id"] for row in results(root)] == ["id0", "id1", "id2"]


def test_a_run_that_comes_back_goes_on_by_row_number(tmp_path: Path) -> None:
    file = write_texts(tmp_path / "in.jsonl", ["a"] * 5 + ["bad"] + ["bb"] * 5)
    root = tmp_path / "out"
    assert len(batch(root, file, "1", stop_after=2)) == 6
    assert batch(root, file, "1", on_exists="fail") == ["bb"] * 5
    assert batch(root, file, "1", on_exists="overwrite") == []
    check(root, ["a"] * 5 + ["bad"] + ["bb"] * 5)


def test_a_run_that_comes_back_to_another_input_goes_by_key(tmp_path: Path) -> None:
    file = write_texts(tmp_path / "in.jsonl", ["a", "bb", "ccc", "é"])
    root = tmp_path / "out"
    batch(root, file, "1", stop_after=1)
    write_texts(file, ["é", "ccc", "bb", "a"])
    assert batch(root, file, "1") == ["é"]
    check(root, ["é", "ccc", "bb", "a"])


def test_overwrite_runs_everything_and_keeps_strangers(tmp_path: Path) -> None:
    file = write_texts(tmp_path / "in.jsonl", ["a", "bb"])
    root = tmp_path / "out"
    batch(root, file, "1", format="parquet")
    (root / "notes.txt").write_text("mine")
    assert batch(root, file, "2", on_exists="overwrite") == ["a", "bb"]
    check(root, ["a", "bb"])
    start_over(root)
    assert [path.name for path in root.iterdir()] == ["notes.txt"]


def test_removed_results_run_again(tmp_path: Path) -> None:
    file = write_texts(tmp_path / "in.jsonl", ["a", "bb"])
    root = tmp_path / "out"
    batch(root, file, "1")
    (root / "results.jsonl").unlink()
    assert batch(root, file, "2") == ["a", "bb"]


def refusal(root: Path, file: Path, on_exists: Literal["resume", "fail"]) -> OrchError:
    with pytest.raises(OrchError) as caught:
        batch(root, file, "2", on_exists=on_exists)
    assert caught.value.fault.code is Code.WRONG_STATE
    assert "output.path" in caught.value.fault.fix
    return caught.value


def test_what_may_not_be_used_is_refused(tmp_path: Path) -> None:
    file = write_texts(tmp_path / "in.jsonl", ["a", "bb"])
    root = tmp_path / "out"
    batch(root, file, "1")
    assert "results.jsonl" in refusal(root, file, "fail").fault.facts[0]
    with (root / "results.jsonl").open("ab") as results_file:
        results_file.write(b"\n")
    assert "changed" in refusal(root, file, "resume").fault.message
    run = root / ".orch" / "run.json"
    run.write_bytes(run.read_bytes().replace(b'"test"', b'"other"'))
    other = refusal(root, file, "resume")
    assert other.fault.facts == ("model: 'other' before, 'test' now",)
    (root / ".orch" / "run.json").unlink()
    assert "no run of orch" in refusal(root, file, "resume").fault.message


def test_an_unfinished_run_counts_as_existing(tmp_path: Path) -> None:
    file = write_texts(tmp_path / "in.jsonl", ["a", "bb"])
    batch(tmp_path / "out", file, "1", stop_after=1)
    assert "unfinished" in refusal(tmp_path / "out", file, "fail").fault.facts[0]


class Stored:
    """Finished rows of which only the keys matter."""

    def __init__(self, keys: list[bytes]) -> None:
        self._keys = b"".join(keys)

    def keys(self) -> bytes:
        return self._keys

    def take(self, positions: Positions) -> pa.Table:
        raise NotImplementedError


KEYS = st.lists(
    st.builds(
        lambda a, b: a.to_bytes(8, "little") + b.to_bytes(8, "little"),
        st.integers(0, 3),
        st.integers(0, 3),
    ),
    max_size=20,
)


@given(st.lists(KEYS, min_size=1, max_size=3), KEYS)
def test_find_equals_a_dictionary(
    stored: list[list[bytes]], wanted: list[bytes]
) -> None:
    everything = [key for keys in stored for key in keys]
    previous = Previous([Stored(keys) for keys in stored])
    found = previous.find(wanted).tolist()
    assert len(previous) == len(everything)
    for key, position in zip(wanted, found, strict=True):
        if position == NOT_FOUND:
            assert key not in everything
        else:
            assert everything[position] == key


def test_many_parts_need_few_handles(tmp_path: Path) -> None:
    file = write_texts(tmp_path / "in.jsonl", [f"text {i}" for i in range(300)])
    root = tmp_path / "out"
    batch(root, file, "1", stop_after=100)
    assert batch(root, file, "2", stop_after=0) == []
    before = len(list(Path("/proc/self/fd").iterdir()))
    previous = Previous.open(root / ".orch")
    assert previous is not None
    everything = np.arange(len(previous), dtype=np.int64)
    assert previous.take(everything, range(300)).num_rows == 300
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 2
