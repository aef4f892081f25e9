"""`orch init`, `validate`, `schema` and `completion`: help with writing job files."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.cli.main import SECTIONS
from orchestrator.cli.templates import TEMPLATES
from orchestrator.spec.array import task_count
from orchestrator.spec.job import KINDS
from orchestrator.spec.load import load_job
from orchestrator.spec.reader import read_document
from orchestrator.spec.schema import job_schema
from orchestrator.spec.source import Source
from tests.cli.conftest import Orch

jsonschema = pytest.importorskip("jsonschema")

ROOT = Path(__file__).parents[2]
COMMANDS = [name for section in SECTIONS.values() for name in section]
ECHO = "version: 1\nkind: command\nrun: echo\n"


@pytest.mark.parametrize("kind", TEMPLATES)
def test_a_new_job_file_is_a_good_one(orch: Orch, place: Path, kind: str) -> None:
    done = orch("init", kind)
    assert (done.code, done.out) == (0, "job.yaml\n")
    assert "orch submit job.yaml" in done.err
    job = load_job(place / "job.yaml").job
    assert job.kind == ("batch" if kind == "batch" else "command")
    assert (task_count(job) > 0) == (kind == "array")
    assert orch("validate", "job.yaml").code == 0


@pytest.mark.parametrize("kind", TEMPLATES)
def test_an_editor_finds_nothing_wrong_with_it(kind: str) -> None:
    text = TEMPLATES[kind]
    assert text.startswith("# yaml-language-server: $schema=./")
    data = read_document(Source.of("j", text), text).data
    jsonschema.validate(data, job_schema())


@pytest.mark.parametrize("kind", TEMPLATES)
def test_every_line_that_is_commented_out_may_be_brought_in(
    kind: str, place: Path
) -> None:
    """What a template shows as a comment is right, too."""
    lines = []
    for line in TEMPLATES[kind].splitlines():
        comment = line.removeprefix("# ")
        is_field = comment != line and comment.split(":")[0].strip().isidentifier()
        lines.append(comment if is_field and "array" not in comment else line)
    path = place / "all.yaml"
    path.write_text("\n".join(lines))
    job = load_job(path).job
    assert (job.priority, job.timeout.run, job.retry.max) == (0, 43200, 2)
    assert job.env == {"SEED": "0", "HF_TOKEN": None}
    assert [after.job for after in job.after] == []


def test_the_kind_is_batch_unless_said_and_the_name_is_free(
    orch: Orch, place: Path
) -> None:
    done = orch("init", "-o", "mine.yaml", "--json")
    assert done.data == {"path": "mine.yaml", "kind": "batch"}
    assert done.err == ""
    assert "orch submit mine.yaml" in (place / "mine.yaml").read_text()


def test_a_file_that_is_there_is_not_replaced_unless_asked(
    orch: Orch, place: Path
) -> None:
    (place / "job.yaml").write_text("mine")
    done = orch("init")
    assert (done.code, done.out) == (2, "")
    assert "error[E304 wrong-state]: 'job.yaml' is there already" in done.err
    assert "--force" in done.err
    assert (place / "job.yaml").read_text() == "mine"
    assert orch("init", "--force").code == 0
    assert (place / "job.yaml").read_text() != "mine"


@pytest.mark.parametrize("path", ["no/such/folder/job.yaml", ".", "x" * 300])
def test_a_place_that_cannot_be_written_is_an_error(orch: Orch, path: str) -> None:
    done = orch("init", "--force", "-o", path)
    assert (done.code, done.out) == (2, "")
    assert "error[E304 wrong-state]" in done.err


@pytest.mark.parametrize("kind", [None, *KINDS])
def test_the_schema_is_one_document(orch: Orch, kind: str | None) -> None:
    arguments = [kind] if kind else []
    done = orch("schema", *arguments)
    assert (done.code, done.err) == (0, "")
    assert json.loads(done.out) == job_schema(kind)
    assert orch("schema", *arguments, "--json").data == job_schema(kind)


def test_a_schema_of_no_kind_is_a_usage_error(orch: Orch) -> None:
    done = orch("schema", "serve")
    assert (done.code, done.out) == (2, "")


def test_validate_tells_what_is_in_the_files(orch: Orch, place: Path) -> None:
    (place / "two.yaml").write_text(f"{ECHO}array: 0-3\n---\n{ECHO}name: b\n")
    done = orch("validate", "embed.yaml", "two.yaml")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        "FILE        NAME   KIND     TASKS",
        "embed.yaml  embed  batch        -",
        "two.yaml    two-1  command      4",
        "two.yaml    b      command      -",
    ]
    assert orch("validate", "embed.yaml", "--json").data == {
        "jobs": [{"path": "embed.yaml", "name": "embed", "kind": "batch", "tasks": 0}]
    }
    assert orch("validate", "embed.yaml", "-q").out == ""


def test_validate_tells_all_mistakes_of_all_files(orch: Orch, place: Path) -> None:
    (place / "a.yaml").write_text(ECHO.replace("run", "rum"))
    (place / "b.yaml").write_text(f"{ECHO}grace: 5\n---\n{ECHO}priority: 1e9\n")
    done = orch("validate", "embed.yaml", "a.yaml", "zzz.txt", "b.yaml")
    assert (done.code, done.out) == (2, "")
    assert [line for line in done.err.splitlines() if line.startswith("error")] == [
        "error[E201 unknown-field]: a.yaml:3:1: 'rum' is not a field of the job file;"
        " did you mean 'run'?",
        "error[E204 file-not-found]: there is no file 'zzz.txt'",
        "error[E203 bad-value]: b.yaml:4:8: grace 5 — expected a duration such as 90s,"
        " 15m or 2h",
        "error[E203 bad-value]: b.yaml:9:11: priority 1000000000.0 — expected 100 or"
        " less",
    ]
    failed = orch("validate", "a.yaml", "--json")
    assert json.loads(failed.out)["error"]["code"] == "E201"
    assert failed.err == ""


def test_validate_refuses_jobs_that_wait_for_each_other(
    orch: Orch, place: Path
) -> None:
    for name, other in (("a", "b"), ("b", "a")):
        (place / f"{name}.yaml").write_text(f"{ECHO}after: [{other}]\n")
    done = orch("validate", "a.yaml", "b.yaml")
    assert done.code == 2
    assert "a.yaml:4:9: these jobs wait for each other: 'a' → 'b' → 'a'" in done.err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_is_a_script_for_that_shell(orch: Orch, shell: str) -> None:
    done = orch("completion", shell)
    assert done.code == 0
    assert f"_ORCH_COMPLETE={shell}_complete" in done.out
    assert shell in done.err
    assert orch("completion", shell, "-q").err == ""
    if found := shutil.which(shell):
        subprocess.run([found, "-n"], input=done.out, text=True, check=True)


def completed(*words: str) -> list[str]:
    """What bash is told for a line whose last word is not finished."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "_ORCH_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(("orch", *words)),
        "COMP_CWORD": str(len(words)),
    }
    done = subprocess.run(
        [sys.executable, "-m", "orchestrator"],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    assert done.stderr == ""
    return [line.removeprefix("plain,") for line in done.stdout.splitlines()]


def test_a_shell_completes_commands_options_and_kinds() -> None:
    assert completed("") == COMMANDS
    assert completed("va") == ["validate"]
    assert "--force" in completed("init", "--")
    assert completed("schema", "") == list(KINDS)
    assert completed("nonsense", "va") == ["validate"]


def test_writing_job_files_imports_nothing_heavy() -> None:
    program = (
        "import sys; from orchestrator.cli.main import run;"
        "code = run(['validate', 'embed.yaml']) + run(['schema', '-q']);"
        "heavy = {'ray', 'torch', 'httpx', 'pyarrow'} & set(sys.modules);"
        "sys.exit(f'loaded {heavy}' if heavy else code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert (done.returncode, done.stderr) == (0, "")
