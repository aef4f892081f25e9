"""A file with several jobs, `---` between them."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.errors import Code, OrchError
from orchestrator.spec.load import load_job, load_job_text, load_jobs, load_jobs_text
from tests.spec.sample import COMMAND, GOOD, command_folder, good_folder

ECHO = "version: 1\nkind: command\nrun: echo\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return command_folder(good_folder(tmp_path))


def test_every_document_is_a_job(folder: Path) -> None:
    path = folder / "both.yaml"
    path.write_text(f"{GOOD}---\n{COMMAND}")
    batch, command = load_jobs(path, ["priority=3"])
    assert (batch.job.kind, command.job.kind) == ("batch", "command")
    assert (batch.job.priority, command.job.priority) == (3, 3)
    assert (batch.position, command.position) == (0, 1)
    assert batch.text == command.text == path.read_text()
    assert batch.path == command.path == path


@pytest.mark.parametrize(
    "text",
    [
        ECHO,
        f"---\n{ECHO}",
        f"{ECHO}---\n",
        f"# first\n---\n---\n{ECHO}...\n---\n# nothing\n",
    ],
)
def test_an_empty_document_does_not_count(text: str) -> None:
    (loaded,) = load_jobs_text(text, "j.yaml")
    assert loaded.job.name == "j"
    assert load_job_text(text, "j.yaml") == loaded


def test_jobs_without_a_name_are_numbered() -> None:
    named = f"{ECHO}name: b\n"
    jobs = load_jobs_text("---\n".join((ECHO, named, ECHO)), "x" * 80 + ".yaml")
    assert [loaded.job.name for loaded in jobs] == [
        "x" * 58 + "-1",
        "b",
        "x" * 58 + "-3",
    ]


def test_the_mistakes_of_all_are_told_each_at_its_place(folder: Path) -> None:
    text = "---\n".join(
        (
            ECHO.replace("run", "rum"),
            "- a\n",
            ECHO,
            f"{ECHO}workdir: nowhere\n",
            ECHO.replace("version: 1", "version: 2"),
        )
    )
    with pytest.raises(OrchError) as caught:
        load_jobs_text(text, "j.yaml", folder=folder)
    assert [(fault.code, fault.at) for fault in caught.value.faults] == [
        (Code.UNKNOWN_FIELD, "j.yaml:3:1"),
        (Code.UNREADABLE_YAML, "j.yaml:5:1"),
        (Code.FILE_NOT_FOUND, "j.yaml:14:10"),
        (Code.BAD_VALUE, "j.yaml:16:10"),
    ]


def test_a_mistake_on_the_command_line_is_told_once() -> None:
    with pytest.raises(OrchError) as caught:
        load_jobs_text(f"{ECHO}---\n{ECHO}", "j.yaml", overrides=["nonsense"])
    (fault,) = caught.value.faults
    assert fault.at == "--set nonsense"


def test_where_one_job_is_expected_the_second_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "two.yaml"
    path.write_text(f"{ECHO}---\n\n{ECHO}---\n{ECHO}")
    with pytest.raises(OrchError) as caught:
        load_job(path)
    (fault,) = caught.value.faults
    assert (fault.code, fault.at) == (Code.BAD_VALUE, f"{path}:6:1")
    assert fault.message == "a second job starts here, of 3; expected only one"


@pytest.mark.parametrize("text", ["", "---\n", "---\n---\n", "# a\n---\n...\n", "~\n"])
def test_a_file_without_a_job_is_empty(text: str) -> None:
    with pytest.raises(OrchError) as caught:
        load_jobs_text(text, "j.yaml")
    assert caught.value.fault.code is Code.UNREADABLE_YAML
    assert caught.value.fault.message == "the file is empty"


def test_an_anchor_ends_with_its_document() -> None:
    text = f"{ECHO}env: &e {{A: b}}\n---\n{ECHO}env: *e\n"
    with pytest.raises(OrchError) as caught:
        load_jobs_text(text, "j.yaml")
    assert caught.value.fault.at == "j.yaml:9:6"
