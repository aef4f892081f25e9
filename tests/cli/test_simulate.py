from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Orch
from tests.simulator.traces import write


def test_a_trace_is_put_to_every_policy(orch: Orch, tmp_path: Path) -> None:
    folder = write(tmp_path / "trace")
    done = orch(
        *("simulate", str(folder), "--policy", "random", "--policy", "default"),
        *("--seeds", "42..43", "--nodes", "3"),
    )
    assert done.code == 0
    assert [line.split()[:2] for line in done.out.splitlines()[1:]] == [
        ["random", "2"],
        ["default", "2"],
    ]


def test_the_same_as_json(orch: Orch, tmp_path: Path) -> None:
    done = orch("simulate", str(write(tmp_path / "trace")), "--seeds", "7", "--json")
    (result,) = done.data["results"]
    assert result["policy"] == "default"
    assert [run["seed"] for run in result["seeds"]] == [7]


def test_seeds_that_are_none_are_a_usage_error(orch: Orch, tmp_path: Path) -> None:
    folder = str(write(tmp_path / "trace"))
    for seeds in ("9..8", "many", "1.."):
        done = orch("simulate", folder, "--seeds", seeds)
        assert done.code == 2
        assert "42..51" in done.err


def test_a_folder_without_a_trace_says_what_is_missing(
    orch: Orch, tmp_path: Path
) -> None:
    done = orch("simulate", str(tmp_path))
    assert done.code == 2
    assert "openb_node_list_gpu_node.csv" in done.err
