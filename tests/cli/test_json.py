"""What every command prints with --json has the form that its schema says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource

import orchestrator.render
from orchestrator.cli.main import SECTIONS
from orchestrator.errors import Code, Fault
from tests.cli.conftest import Orch
from tests.client import documents
from tests.client.fake_controller import FakeController

FOLDER = Path(orchestrator.render.__file__).parent / "schemas"
SCHEMAS: dict[str, Any] = {
    path.name: json.loads(path.read_text("utf-8")) for path in FOLDER.iterdir()
}
REGISTRY: Registry[Any] = Registry().with_resources(
    (name, Resource.from_contents(schema)) for name, schema in SCHEMAS.items()
)


def check(text: str) -> str:
    """Validate one document; the name of its form."""
    document = json.loads(text)
    form: str = document["schema"]
    validator = Draft202012Validator(
        SCHEMAS[f"{form.replace('/', '.')}.json"],
        registry=REGISTRY,
        format_checker=FormatChecker(),
    )
    validator.validate(document)
    return form


@pytest.fixture
def full(controller: FakeController, place: Path) -> FakeController:
    """Jobs of every kind and in many states."""
    plan, why = documents.plan(0, 1).to_json(), documents.diagnosis(ever=True)
    fault = Fault(Code.GPU_LOST, "it fell off", ("a fact",), "do this").to_json()
    (place / "out").mkdir()
    (place / "out" / "results.jsonl").write_text('{"row": 0}\n')
    done: dict[str, Any] = {
        "output": str(place / "out"),
        "results": str(place / "out" / "results.jsonl"),
        "returned": [{"gpu": "local:0", "free_bytes": 7}],
    }
    attempt = {
        "attempt": 1,
        "state": "LOST",
        "cause": "node_lost",
        "started_at": None,
        "finished_at": "2026-01-02T03:04:09Z",
        "text": "gone",
    }
    controller.add(40, documents.job(state="FAILED", faults=[fault]))
    controller.add(41, documents.job(state="SUCCEEDED", plan=plan, **done))
    controller.add(
        42,
        documents.job(
            state="PENDING",
            diagnosis=why.to_json(),
            waiting=[documents.waiting("busy", "held by job 7", gib=3.5)],
            position=1,
            after=[{"job": 41, "when": "any"}],
            attempts=[attempt],
            attempt=2,
        ),
    )
    controller.add(43, documents.command(tasks=documents.tasks(RUNNING=1, FAILED=1)))
    controller.add("43.0", documents.command(state="RUNNING"))
    controller.add("43.1", documents.command(state="FAILED"))
    controller.add(44, documents.command(state="SUCCEEDED"))
    controller.stories["42"] = [
        documents.event("03:04:05", "submitted", "wait", state="PENDING")
    ]
    controller.usage = [documents.usage(41, "ann", 7200)]
    controller.logs.write(44, b"one\ntwo")
    return controller


LINES = [
    ("status",),
    ("status", "-a"),
    ("status", "43", "40"),
    ("explain", "42"),
    ("logs", "44"),
    ("wait", "41"),
    ("cancel", "41", "--detach"),
    ("cancel", "42", "--detach"),
    ("retry", "40"),
    ("results", "41"),
    ("results", "41", "--head", "1"),
    ("results", "40", "--failed"),
    ("results", "44"),
    ("history",),
    ("history", "--by", "job", "--since", "7d"),
    ("gpus",),
    ("up",),
    ("version",),
    ("validate", "embed.yaml"),
    ("init", "batch", "-o", "new.yaml"),
    ("schema",),
    ("completion", "bash"),
    ("plan", "embed.yaml"),
    ("submit", "-d", "embed.yaml"),
    ("submit", "-d", "embed.yaml", "embed.yaml"),
]


@pytest.mark.usefixtures("full")
@pytest.mark.parametrize("line", LINES, ids=" ".join)
def test_an_answer_has_the_form_of_its_schema(
    orch: Orch, line: tuple[str, ...]
) -> None:
    done = orch(*line, "--json")
    assert (check(done.out), done.code, done.err) == (f"orch.{line[0]}/v1", 0, "")


@pytest.mark.usefixtures("full")
def test_the_option_may_stand_before_the_command(orch: Orch) -> None:
    for line in (("--json", "status"), ("-q", "--color=never", "--json", "status")):
        assert check(orch(*line).out) == "orch.status/v1"
    assert orch("-q", "status").out == "43\n42\n"
    assert orch("--color", "never", "-q", "status", "-n", "1").out == "43\n"
    assert orch("--json").out.startswith("Usage:") or orch("--json").code == 2


@pytest.mark.usefixtures("full")
def test_a_followed_log_is_a_document_a_line(orch: Orch) -> None:
    done = orch("logs", "-f", "44", "--json")
    assert [check(line) for line in done.out.splitlines()] == ["orch.logs.line/v1"] * 2
    assert json.loads(done.out.splitlines()[1])["data"]["line"] == "two"


@pytest.mark.usefixtures("controller")
@pytest.mark.parametrize("line", [("status", "-a"), ("history",), ("cancel", "--all")])
def test_empty_lists_are_lists(orch: Orch, line: tuple[str, ...]) -> None:
    done = orch(*line, "--json")
    assert (done.code, check(done.out)) == (0, f"orch.{line[0]}/v1")


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (("status", "99"), 6),
        (("status", "--nope"), 2),
        (("nope",), 2),
        (("submit", "not-there.yaml"), 2),
        (("logs", "42"), 6),
        (("logs", "44#2"), 6),
        (("retry", "43"), 2),
        (("results", "42", "--head", "1"), 2),
        (("history", "--since", "yesterday"), 2),
        (("cancel",), 2),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
@pytest.mark.usefixtures("full")
def test_errors_have_a_form_too(orch: Orch, line: tuple[str, ...], code: int) -> None:
    done = orch(*line, "--json")
    assert (done.code, check(done.out), done.err) == (code, "orch.error/v1", "")


def test_without_a_controller_it_is_an_error_of_that_form(orch: Orch) -> None:
    assert check(orch("status", "--json").out) == "orch.error/v1"
    assert check(orch("down", "--json").out) == "orch.down/v1"


def test_every_command_has_a_schema() -> None:
    commands = {name for section in SECTIONS.values() for name in section}
    missing = [
        name for name in sorted(commands) if f"orch.{name}.v1.json" not in SCHEMAS
    ]
    assert missing == []
    for schema in SCHEMAS.values():
        Draft202012Validator.check_schema(schema)
