from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.engines.base import Prepared
from orchestrator.engines.embeddings.batches import TokenBatch
from orchestrator.engines.registry import preparer_for
from orchestrator.errors import Code, OrchError
from orchestrator.spec.job import Model, Params
from tests.engines.small_models import WORDS, engine_spec, texts, write_bert


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bert(tmp_path_factory.mktemp("model"))


def prepare(
    model: Path, *values: object, budget: int = 4096, **params: object
) -> Prepared:
    spec = engine_spec(Model(id=str(model)), model, params=Params(**params))
    return preparer_for(spec, budget).prepare(texts(*values))


def tokens(prepared: Prepared) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for batch in prepared.batches:
        assert isinstance(batch, TokenBatch)
        ids = iter(batch.ids.tolist())
        for row, length in zip(
            batch.rows.tolist(), batch.lengths.tolist(), strict=True
        ):
            found[row] = [WORDS[next(ids)] for _ in range(length)]
    return found


def test_rows_keep_their_tokens_longest_first(model: Path) -> None:
    prepared = prepare(model, "w1", "w2 w3 w4", "w5 w6")
    assert tokens(prepared) == {
        1: ["[CLS]", "w2", "w3", "w4", "[SEP]"],
        2: ["[CLS]", "w5", "w6", "[SEP]"],
        0: ["[CLS]", "w1", "[SEP]"],
    }
    assert list(tokens(prepared)) == [1, 2, 0]


def test_positions_count_only_the_rows_that_go_on(model: Path) -> None:
    prepared = prepare(model, None, "w1", 7, "w2", "a\ud800b", ["w3"])
    assert prepared.rows.numbers == [101, 103]
    assert tokens(prepared) == {
        0: ["[CLS]", "w1", "[SEP]"],
        1: ["[CLS]", "w2", "[SEP]"],
    }
    assert [(f.row, f.id, f.code, f.message) for f in prepared.failures] == [
        (100, "id0", Code.BAD_VALUE, "expected text, got null"),
        (102, "id2", Code.BAD_VALUE, "expected text, got int"),
        (104, "id4", Code.BAD_VALUE, "the text is not valid Unicode"),
        (105, "id5", Code.BAD_VALUE, "expected text, got list"),
    ]


def test_long_rows_are_cut_or_fail_with_their_length(model: Path) -> None:
    long, short = " ".join(["w1"] * 9), "w2"
    cut = prepare(model, long, short, max_length=5)
    assert tokens(cut)[0] == ["[CLS]", "w1", "w1", "w1", "[SEP]"]
    failed = prepare(model, long, short, max_length=5, truncate=False)
    assert failed.rows.numbers == [101]
    assert failed.failures[0].message == (
        "11 tokens, but max_length is 5 and truncate is false"
    )


def test_no_rows_make_no_batches(model: Path) -> None:
    assert list(prepare(model).batches) == []
    assert list(prepare(model, None).batches) == []


def test_the_budget_bounds_a_batch(model: Path) -> None:
    prepared = prepare(model, *["w1 w2"] * 10, budget=12)
    assert [len(batch.rows) for batch in prepared.batches] == [3, 3, 3, 1]


def test_a_token_that_the_model_lacks_fails_its_row(tmp_path: Path) -> None:
    small = write_bert(tmp_path, vocab_size=10)
    prepared = prepare(small, "w1", "w50")
    assert prepared.rows.numbers == [100]
    assert "does not know" in prepared.failures[0].message


def test_a_model_without_tokeniser_says_how_to_make_one(tmp_path: Path) -> None:
    write_bert(tmp_path)
    (tmp_path / "tokenizer.json").unlink()
    with pytest.raises(OrchError, match=r"no tokenizer\.json") as caught:
        prepare(tmp_path, "w1")
    assert "AutoTokenizer" in caught.value.fault.fix


def test_a_broken_tokeniser_names_its_file(tmp_path: Path) -> None:
    write_bert(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(OrchError, match=r"tokenizer\.json cannot be read"):
        prepare(tmp_path, "w1")


def test_preparers_never_import_torch(model: Path) -> None:
    program = (
        "import sys\n"
        "from orchestrator.engines.registry import preparer_for\n"
        "from orchestrator.engines.base import EngineSpec\n"
        "from orchestrator.data.rows import Rows\n"
        "from orchestrator.scheduling.snapshot import DeviceKind\n"
        "from orchestrator.spec.job import Model, Params\n"
        "def spec(name, model): return EngineSpec(name, model, Params(), ('text',),"
        " DeviceKind.CPU, '', 0, 1, {}, '.')\n"
        f"text = preparer_for(spec('embeddings', Model(id={str(model)!r})), 64)\n"
        "text.prepare(Rows([0], [b''], [None], [('w1',)]))\n"
        "numbers = preparer_for(spec('torch', Model(entry='a:B')), 64)\n"
        "numbers.prepare(Rows([0], [b''], [None], [(1.5,)]))\n"
        "print(sorted({'torch', 'transformers', 'ray'} & set(sys.modules)))"
    )
    said = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert said.stdout.strip() == "[]"
