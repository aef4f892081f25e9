from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from orchestrator.engines.executors import executor_for
from orchestrator.engines.registry import preparer_for
from orchestrator.errors import Code, OrchError
from orchestrator.spec.job import Model
from tests.engines.small_models import engine_spec, rows_of, texts
from tests.engines.user_modules import failure, outcome, run, spec_of

PAIR = rows_of([([1.0, 2.0],), ([3.0, 4.0],)])


@pytest.mark.parametrize(
    ("returned", "columns"),
    [
        ("x * 2", {"output": [[2, 4], [6, 8]]}),
        ("{'a': x[:, 0], 'b': x.sum(1)}", {"a": [1, 3], "b": [3, 7]}),
        ("(x[:, 0], x[:, 1])", {"output_0": [1, 3], "output_1": [2, 4]}),
        ("[{'k': v[0].item()} for v in x]", {"k": [1, 3]}),
        ("{'names': ['a', 'b']}", {"names": ["a", "b"]}),
        ("x.bfloat16()", {"output": [[1, 2], [3, 4]]}),
        ("(x > 2)", {"output": [[False, False], [True, True]]}),
    ],
)
def test_what_forward_returns_becomes_columns(
    returned: str, columns: dict[str, Any], tmp_path: Path
) -> None:
    body = f"def forward(self, x): return {returned}"
    assert outcome(body, tmp_path, PAIR) == columns


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        ("x.sum()", "'output' has shape (); its first dimension must be the 2 rows"),
        ("x[:1]", "'output' has shape (1, 2)"),
        ("[{'a': 1}]", "expected 2 rows, got a list of 1"),
        ("'text'", "'output' is str"),
        ("None", "'output' is NoneType"),
    ],
)
def test_an_output_without_a_value_a_row_is_the_modules_fault(
    returned: str, message: str, tmp_path: Path
) -> None:
    fault = failure(f"def forward(self, x): return {returned}", tmp_path, PAIR)
    assert fault.code is Code.USER_CODE_RAISED
    assert message in fault.message


def test_fields_arrive_in_order_with_their_types(tmp_path: Path) -> None:
    body = """
    def forward(self, a, b, name):
        assert a.dtype is torch.int64 and b.dtype is torch.float32
        assert not torch.is_grad_enabled() and not self.training
        return [{"got": f"{n}{i}{f}"} for n, i, f in zip(name, a.tolist(), b.tolist())]
    """
    rows = rows_of([(1, 0.5, "p"), (2, 1.5, "q")])
    found = outcome(body, tmp_path, rows, fields=("a", "b", "name"))
    assert found == {"got": ["p10.5", "q21.5"]}


def test_rows_unlike_the_first_good_one_fail_alone(tmp_path: Path) -> None:
    rows = texts(None, [1, 2], [1.5, 2], [1], "text", [[1, 2]], ["a", "b"], [3, 4])
    columns, prepared = run(spec_of("def forward(self, x): return x", tmp_path), rows)
    assert np.array(columns["output"]).tolist() == [[1, 2], [1.5, 2], [3, 4]]
    assert prepared.rows.numbers == [101, 102, 107]
    assert {f.row: f.message for f in prepared.failures} == {
        100: "field 'x' is null",
        103: "field 'x' is numbers of shape (1,), but numbers of shape (2,) in the"
        " rows before",
        104: "field 'x' is text, but numbers of shape (2,) in the rows before",
        105: "field 'x' is numbers of shape (1, 2), but numbers of shape (2,) in the"
        " rows before",
        106: "field 'x' is neither numbers of one shape nor text",
    }


def test_a_row_that_fails_in_one_field_leaves_all_fields(tmp_path: Path) -> None:
    rows = rows_of([(1, "a"), (None, "b"), (3, 4), (5, "c")])
    body = "def forward(self, x, y): return [{'z': f'{i}{t}'} for i, t in zip(x, y)]"
    columns, prepared = run(spec_of(body, tmp_path, ("x", "y")), rows)
    assert columns["z"] == ["1a", "5c"]
    assert [f.row for f in prepared.failures] == [101, 102]


def test_no_good_row_makes_no_batch(tmp_path: Path) -> None:
    spec = spec_of("def forward(self, x): return x", tmp_path)
    for rows in (texts(None, None), texts()):
        prepared = preparer_for(spec, 8).prepare(rows)
        assert (len(prepared.rows), len(prepared.batches)) == (0, 0)


def test_hooks_see_rows_and_make_rows(tmp_path: Path) -> None:
    body = """
    def preprocess(self, rows):
        return torch.tensor([float(sum(r["x"])) for r in rows]),
    def forward(self, x): return x * 10
    def postprocess(self, output): return [{"total": v} for v in output.tolist()]
    """
    ragged = texts([1, 2, 3], [], [4])
    assert outcome(body, tmp_path, ragged) == {"total": [60, 0, 40]}


def test_more_rows_than_a_batch_keep_their_order(tmp_path: Path) -> None:
    found = outcome("def forward(self, x): return x", tmp_path, texts(*range(300)))
    assert found == {"output": list(range(300))}


def test_a_batch_can_be_halved(tmp_path: Path) -> None:
    spec = spec_of("def forward(self, x): return x", tmp_path)
    (batch,) = preparer_for(spec, 8).prepare(texts(1, 2, 3)).batches
    first, second = batch.halves()
    assert (first.rows.tolist(), second.rows.tolist()) == ([0], [1, 2])


def test_files_beside_the_entry_are_importable_without_being_there(
    tmp_path: Path,
) -> None:
    body = """
    def forward(self, x):
        from pieces.parts import twice
        from pathlib import Path
        return [{"y": twice(v), "at": Path(__file__).parent.name} for v in x.tolist()]
    """
    twice = {"pieces/parts.py": "def twice(x):\n    return 2 * x\n"}
    columns, _ = run(spec_of(body, tmp_path / "jobs", files=twice), texts(1, 2))
    assert columns == {"y": [2, 4], "at": ["jobs", "jobs"]}
    assert not (tmp_path / "jobs").exists()


def test_an_error_in_forward_shows_the_users_traceback_only(tmp_path: Path) -> None:
    body = """
    def forward(self, x):
        return self.inner(x)
    def inner(self, x):
        raise ValueError("odd rows\\nand more")
    """
    fault = failure(body, tmp_path, PAIR)
    assert fault.code is Code.USER_CODE_RAISED
    assert fault.message.startswith("forward raised ValueError: odd rows (user_")
    assert fault.message.endswith(".py:7)")
    shown = "\n".join(fault.facts)
    assert "line 5, in forward\n    return self.inner(x)" in shown
    assert "orchestrator" not in shown
    assert "torch/nn" not in shown
    assert str(tmp_path) not in shown


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            "def __init__(self): raise OSError('no weights')",
            "raised OSError: no weights",
        ),
        ("def __init__(self, size): pass", "TypeError: "),
        ("def forward(self x): pass", "raised SyntaxError"),
        ("import nowhere_to_be_found", "No module named 'nowhere_to_be_found'"),
        ("raise SystemExit(3)", "raised SystemExit: 3"),
    ],
)
def test_a_module_that_cannot_be_made(body: str, message: str, tmp_path: Path) -> None:
    fault = failure(body, tmp_path, PAIR)
    assert fault.code is Code.MODEL_FAILED_TO_LOAD
    assert message in fault.message
    assert "orchestrator" not in "\n".join(fault.facts)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("entry_a:Nobody", "is not in that file"),
        ("entry_a:number", "is no torch.nn.Module"),
        ("entry_nowhere:M", "No module named 'entry_nowhere'"),
    ],
)
def test_an_entry_that_names_no_module(
    entry: str, message: str, tmp_path: Path
) -> None:
    code = {"entry_a.py": b"number = 1"}
    spec = engine_spec(Model(entry=entry), tmp_path, fields=("x",), code=code)
    with pytest.raises(OrchError) as caught:
        executor_for(spec).load()
    assert caught.value.fault.code is Code.MODEL_FAILED_TO_LOAD
    assert message in caught.value.fault.message


def test_fields_must_be_named(tmp_path: Path) -> None:
    with pytest.raises(OrchError, match="which fields") as caught:
        preparer_for(spec_of("pass", tmp_path, fields=()), 8)
    assert caught.value.fault.code is Code.MISSING_FIELD


def test_dtype_is_the_jobs_or_the_modules_own(tmp_path: Path) -> None:
    spec = spec_of(
        """
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(2, 2).double()
        def forward(self, x): return [{"d": str(x.dtype)} for _ in self.layer(x)]
        """,
        tmp_path,
    )
    assert run(spec, PAIR)[0]["d"] == ["torch.float64"] * 2
    loaded = executor_for(spec).load()
    assert loaded.weights_bytes == 6 * 8
    assert loaded.description.endswith("float64")


def test_the_example_job_gives_the_same_scores_on_every_engine() -> None:
    jobs = Path("jobs")
    code = {"my_model.py": (jobs / "my_model.py").read_bytes()}
    model = Model(entry="my_model:MyModel", args={"hidden": 8, "classes": 3})
    spec = engine_spec(model, jobs, fields=("point",), code=code)
    first, second = (run(spec, PAIR)[0] for _ in range(2))
    assert np.array_equal(first["scores"], second["scores"])
    np.testing.assert_allclose(np.sum(first["scores"], axis=1), 1, atol=1e-6)
    assert len(first["label"]) == 2
