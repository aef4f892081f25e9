"""Every error that pydantic can raise for our models is said in our own words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from orchestrator.errors import Code
from orchestrator.spec.document import Document
from orchestrator.spec.fields import Root, fields_of, model_at
from orchestrator.spec.job import JOBS, BatchJob, job_class, validate_job
from orchestrator.spec.source import Source
from orchestrator.spec.translate import EXPECTED, add_faults

NAMED_APART = {"missing", "extra_forbidden", "missing_one_of"}
VALUES: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    1,
    3.5,
    10**18,
    "",
    "x",
    "9" * 5000,
    "-",
    "a:b",
    "{",
    "{x}",
    [],
    [[]],
    ["", None, 3, {}],
    {},
    {"x": 1},
    {"minimum": 3, "maximum": 2},
    {"minimum": "x", "maximum": 0},
    {"id": "a", "entry": "m:C"},
    {"id": "a", "engine": "torch"},
    {"entry": "m:C", "engine": "embeddings"},
    {"id": 1, "args": 2},
    [{"job": 1, "when": "later"}],
]
JARGON = re.compile(
    r"input should|field required|extra inputs|value error|valid (string|int)|pydantic"
    r"|none|nonetype|dict\b|tuple|boolean|integer|instance|parse|literal",
    re.IGNORECASE,
)


def good(kind: str) -> dict[str, Any]:
    header = {"version": 1, "kind": kind}
    if kind == "command":
        return {**header, "run": "true"}
    return {**header, "model": {"id": "org/name"}, "input": {"path": "data.jsonl"}}


def places(root: Root, loc: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name in model_at(root, loc).model_fields:
        yield (*loc, name)
        if model_at(root, (*loc, name)) is not root:
            yield from places(root, (*loc, name))


MORE_PLACES = [("nonsense",), ("model", "args", "x"), ("env", "A B"), ("run",)]
ALL_PLACES = {kind: [*places(root), *MORE_PLACES] for kind, root in JOBS.items()}


def documents() -> Iterator[tuple[Document, ValidationError]]:
    """A document for every field and every wrong value of it."""
    for kind, locs in ALL_PLACES.items():
        for loc, value in product(locs, VALUES):
            data = good(kind)
            section = data
            for part in loc[:-1]:
                if not isinstance(section.get(part), dict):
                    section[part] = {}
                section = section[part]
            section[loc[-1]] = value
            try:
                validate_job(data)
            except ValidationError as error:
                yield Document(Source.of("j.yaml", "x"), data), error


def test_the_walk_reaches_every_field_and_most_values_are_wrong() -> None:
    assert ("resources", "gpus", "minimum") in ALL_PLACES["batch"]
    assert ("array", "max_parallel") in ALL_PLACES["command"]
    assert ("after", "when") in ALL_PLACES["command"]
    assert len(ALL_PLACES["batch"]) > 60
    assert sum(1 for _ in documents()) > 1500


def test_every_type_of_error_is_in_the_table() -> None:
    seen = {e["type"] for _, error in documents() for e in error.errors()}
    assert seen <= set(EXPECTED) | NAMED_APART
    # `int_type` needs a value that YAML cannot make; all others were provoked.
    assert set(EXPECTED) - seen <= {"int_type", "bool_type", "int_parsing_size"}


def test_no_message_speaks_of_the_library_that_found_the_mistake() -> None:
    for document, error in documents():
        root = job_class(document.data)
        add_faults(document, error.errors(include_url=False), root)
        assert document.faults
        for _, fault in document.faults:
            said = re.sub(r"'[^']*'", "", f"{fault.message} {fault.fix}")
            assert not JARGON.search(said), fault
            assert "\n" not in fault.message
            assert len(fault.message) < 250
            assert fault.code in (
                Code.UNKNOWN_FIELD,
                Code.MISSING_FIELD,
                Code.BAD_VALUE,
            )
            assert "something else" not in fault.message


def test_an_error_type_nobody_thought_of_is_still_a_sentence() -> None:
    document = Document(Source.of("j.yaml", "x"), {"name": "x"})
    details = {"type": "new_in_pydantic_3", "loc": ("name",), "msg": "?", "input": "x"}
    add_faults(document, [details], BatchJob)  # type: ignore[list-item]
    ((_, fault),) = document.faults
    assert fault.message == "name 'x' — expected something else"


@pytest.mark.parametrize("section", [(), ("model",), ("resources",), ("output",)])
def test_the_fields_of_a_section_are_listed_in_order(section: tuple[str, ...]) -> None:
    model = model_at(BatchJob, section)
    assert fields_of(BatchJob, section) == list(model.model_fields)
    assert (model is BatchJob) == (section == ())


def test_the_package_has_one_place_that_knows_pydantics_error_types() -> None:
    root = Path(__file__).parents[2] / "orchestrator" / "spec"
    knowing = [
        p.name for p in root.glob("*.py") if '"extra_forbidden"' in p.read_text()
    ]
    assert knowing == ["translate.py"]
