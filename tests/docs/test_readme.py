from __future__ import annotations

import os
import re
import shlex
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest

import orchestrator
from orchestrator.cli.main import SECTIONS
from orchestrator.spec.load import load_job_text
from tests.docs.paths import ROOT, text_of

_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.DOTALL | re.MULTILINE)


PURE = [
    *("tests/spec", "tests/estimate", "tests/scheduling", "tests/lifecycle"),
    *("tests/render", "tests/docs"),
]


def _set_ups() -> list[str]:
    blocks = _BLOCK.findall(text_of("README.md"))
    return [block.strip() for block in blocks if "venv" in block]


def test_two_commands_of_one_line_each() -> None:
    demo, tests = _set_ups()
    assert "\n" not in demo + tests
    assert demo.endswith("orch submit jobs/embed.yaml")
    assert "scripts/check && pytest" in tests


def test_the_transcript_is_of_the_job_that_ships() -> None:
    shown = text_of("README.md").partition("```console\n")[2].partition("```")[0]
    rows = len(text_of("jobs/data/definitions.jsonl").splitlines())
    assert shown.startswith("$ orch submit jobs/embed.yaml\n")
    assert "✓ Job 1 succeeded in" in shown
    assert f"· {rows:,} ok, 0 failed rows" in shown
    assert shown.endswith("\n./out/1/results.jsonl\n")


@pytest.mark.parametrize("number", [0, 1])
def test_torch_comes_from_the_constraints(number: int) -> None:
    assert "-c constraints.txt" in _set_ups()[number]
    assert "torch==2.13.0" in text_of("constraints.txt").splitlines()


def test_ci_runs_the_readmes_line_and_nothing_else() -> None:
    lines = text_of(".ci/run").splitlines()
    commands = [line for line in lines if line and not line.startswith("#")]
    assert commands == ["set -eu", 'cd "$(dirname "$0")/.."', _set_ups()[1]]
    assert os.access(ROOT / ".ci/run", os.X_OK)


def test_check_asks_in_the_agreed_order() -> None:
    lines = text_of("scripts/check").splitlines()
    tools = [shlex.split(line) for line in lines if not line.startswith(("#", "set "))]
    assert tools == [
        ["cd", "$(dirname $0)/.."],
        ["ruff", "format", "--check", "."],
        ["ruff", "check", "."],
        ["mypy"],
        ["lint-imports"],
        ["pytest", "-q", *PURE],
    ]
    assert os.access(ROOT / "scripts/check", os.X_OK)


def test_make_does_what_the_test_command_does() -> None:
    recipes = re.findall(r"^\t(.+)$", text_of("Makefile"), re.MULTILINE)
    assert " && ".join(recipes) in _set_ups()[1]


def test_every_command_is_in_the_table_and_no_other() -> None:
    rows = re.findall(r"^\| (`orch .*?) \|", text_of("README.md"), re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`orch (\w+)", row)}
    assert named == {name for section in SECTIONS.values() for name in section}


def test_the_picture_is_sound_and_says_what_it_shows() -> None:
    picture = ElementTree.fromstring(text_of("docs/architecture.svg"))
    assert picture.get("viewBox")
    assert picture.get("aria-label")


@pytest.mark.parametrize("page", ["README.md", "docs/job-file.md"])
def test_every_job_file_that_is_shown_can_be_read(page: str, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "jobs", tmp_path, dirs_exist_ok=True)
    (tmp_path / "rows.jsonl").write_text('{"text": "a row"}\n')
    shown = [block for block in _blocks(page, "yaml") if block.startswith("version:")]
    assert shown
    for block in shown:
        assert load_job_text(block, "shown", folder=tmp_path).job.version == 1


@pytest.mark.parametrize("page", ["README.md", "docs/python.md", "docs/queue.md"])
def test_every_program_that_is_shown_asks_for_what_there_is(page: str) -> None:
    shown = _blocks(page, "python")
    assert shown
    for block in shown:
        compile(block, page, "exec")
        asked = set(re.findall(r"\borch\.(\w+)", block))
        assert asked <= set(orchestrator.__all__)


def _blocks(page: str, language: str) -> list[str]:
    block = rf"^```{language}\n(.*?)^```$"
    return re.findall(block, text_of(page), re.DOTALL | re.MULTILINE)
