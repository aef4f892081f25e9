from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path

import click
import pytest

from orchestrator.cli.main import SECTIONS, cli
from tests.cli.conftest import Orch

ROOT = Path(__file__).parents[2]
HEAVY = ("ray", "torch", "httpx", "rich", "pydantic", "yaml", "starlette", "pyarrow")
COMMANDS = [name for section in SECTIONS.values() for name in section]


def _python(*args: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *args],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    )


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys; from orchestrator.cli.main import run; code = run(['--help']);"
        f"loaded = [name for name in {HEAVY!r} if name in sys.modules];"
        "sys.exit(f'loaded {loaded}' if loaded else code)"
    )
    done = _python("-c", program)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("command", ["status", "submit"])
def test_a_command_never_imports_ray_or_torch(command: str) -> None:
    program = (
        "import sys; from orchestrator.cli.main import run;"
        f"run([{command!r}, *{['no.yaml'] if command == 'submit' else []!r}]);"
        "sys.exit('ray' in sys.modules or 'torch' in sys.modules)"
    )
    assert _python("-c", program).returncode == 0


def test_help_takes_at_most_150_ms() -> None:
    def seconds() -> float:
        began = time.perf_counter()
        assert _python("-m", "orchestrator", "--help").returncode == 0
        return time.perf_counter() - began

    # The best of several: a busy machine is not the program's doing.
    assert any(seconds() <= 0.150 for _ in range(30))


def test_no_arguments_print_the_help(orch: Orch) -> None:
    alone, asked = orch(), orch("-h")
    assert alone == asked
    assert alone.code == 0
    for name in COMMANDS:
        assert f"\n  {name} " in alone.out


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_and_examples(orch: Orch, name: str) -> None:
    done = orch(name, "--help")
    assert done.code == 0
    command = import_module(f"orchestrator.cli.{name}").command
    assert isinstance(command, click.Command)
    assert command.name == name
    _usage, examples = done.out.split("Examples:")
    assert sum(f"orch {name}" in line for line in examples.splitlines()) >= 2


def test_the_group_lists_what_it_can_import() -> None:
    context = click.Context(cli)
    assert cli.list_commands(context) == COMMANDS


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("sumbit", "Did you mean submit?"),
        ("gpu", "Did you mean gpus?"),
        ("zzz", "'zzz'"),
    ],
)
def test_an_unknown_command_is_a_usage_error(orch: Orch, typed: str, said: str) -> None:
    done = orch(typed)
    assert (done.code, done.out) == (2, "")
    assert said in done.err


def test_a_usage_error_in_json_is_one_document(orch: Orch) -> None:
    done = orch("status", "--json", "--nope")
    error = json.loads(done.out)["error"]
    assert (done.code, error["exit_code"], done.err) == (2, 2, "")
    assert "--nope" in error["message"]


def test_the_version_is_one_line(orch: Orch) -> None:
    assert orch("--version").out.startswith("orch ")
    assert orch("--version").out == f"orch {orch('version', '-q').out}"
    assert orch("version", "--json").data["python"]


def test_a_bug_is_e900_with_its_log_and_no_traceback(orch: Orch, place: Path) -> None:
    (place / "state").mkdir()
    (place / "state" / "controller.json").mkdir()
    done = orch("status")
    log = place / "state" / "logs" / "cli.log"
    assert done.code == 70
    assert "error[E900 bug]" in done.err
    assert str(log) in done.err
    assert "Traceback" not in done.err
    assert "IsADirectoryError" in log.read_text()


def test_debug_shows_the_traceback(
    orch: Orch, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCH_DEBUG", "1")
    (place / "state").mkdir()
    (place / "state" / "controller.json").mkdir()
    assert "Traceback" in orch("status").err


def test_a_reader_that_hangs_up_is_not_an_error() -> None:
    command = [sys.executable, "-m", "orchestrator", "version"]
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        command,
        stdout=writer,
        stderr=subprocess.PIPE,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")
