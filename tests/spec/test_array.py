"""What the tasks of a job with an array are."""

from __future__ import annotations

import time
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from orchestrator.spec.array import (
    matrix_values,
    task_count,
    task_env,
    task_output,
    task_spec,
    task_values,
)
from orchestrator.spec.job import CommandJob, Job, validate_job


def command(**fields: Any) -> CommandJob:  # noqa: ANN401
    job = validate_job({"version": 1, "kind": "command", "run": "true", **fields})
    assert isinstance(job, CommandJob)
    return job


def values(job: Job) -> list[dict[str, str]]:
    return [task_values(job, index) for index in range(task_count(job))]


def refusal(**fields: Any) -> str:  # noqa: ANN401
    with pytest.raises(ValidationError) as caught:
        command(**fields)
    return str(caught.value)


@pytest.mark.parametrize(
    ("array", "indices"),
    [
        ("0-3", ["0", "1", "2", "3"]),
        ("0-3%2", ["0", "1", "2", "3"]),
        ("5-9:2", ["5", "7", "9"]),
        ("5-8:2", ["5", "7"]),
        ("7-7", ["7"]),
        ({"range": "0-31", "max_parallel": 4}, [str(n) for n in range(32)]),
        (None, []),
    ],
)
def test_a_range_has_a_task_for_every_number(array: object, indices: list[str]) -> None:
    assert [task["index"] for task in values(command(array=array))] == indices


def test_the_short_form_says_how_many_run_at_one_time() -> None:
    array = command(array="0-31%4").array
    assert array is not None
    assert array.max_parallel == 4
    assert array.size == 32


def test_a_matrix_is_every_mix_and_the_last_name_changes_fastest() -> None:
    job = command(array={"matrix": {"lr": [1e-4, 3e-4], "bs": [32, 64], "x": [True]}})
    assert task_count(job) == 4
    assert [matrix_values(job, index) for index in range(4)] == [
        {"lr": 1e-4, "bs": 32, "x": True},
        {"lr": 1e-4, "bs": 64, "x": True},
        {"lr": 3e-4, "bs": 32, "x": True},
        {"lr": 3e-4, "bs": 64, "x": True},
    ]
    assert list(matrix_values(job, 0)) == ["lr", "bs", "x"]
    assert task_values(job, 3) == {
        "index": "3",
        "matrix.lr": "0.0003",
        "matrix.bs": "64",
        "matrix.x": "true",
    }


@given(
    st.dictionaries(
        st.sampled_from("abcd"),
        st.lists(st.integers(0, 99), min_size=1, max_size=4, unique=True),
        min_size=1,
    )
)
def test_the_tasks_of_a_matrix_are_its_product(matrix: dict[str, list[int]]) -> None:
    job = command(array={"matrix": matrix})
    found = [
        tuple(matrix_values(job, index).values()) for index in range(task_count(job))
    ]
    assert found == list(product(*matrix.values()))


def test_a_task_is_a_job_with_its_placeholders_replaced() -> None:
    job = command(
        run="run {index} {matrix.lr} ${index} {other} {{index}}",
        array={"matrix": {"lr": [0.1, "x y"]}},
        env={"LR": "{matrix.lr}", "N": None},
        workdir="./{matrix.lr}",
        name="sweep",
    )
    task = task_spec(job, 1)
    assert isinstance(task, CommandJob)
    assert task.run == "run 1 x y ${index} {other} {1}"
    assert task.env == {"LR": "x y", "N": None}
    assert task.workdir == "./x y"
    assert (task.name, task.array) == ("sweep", None)
    assert validate_job(task.model_dump(mode="json")) == task


def test_every_argument_of_a_program_is_replaced() -> None:
    job = command(run=["prog", "--shard={index}/{matrix.of}"], array={"matrix": OF})
    task = task_spec(job, 0)
    assert isinstance(task, CommandJob)
    assert task.run == ("prog", "--shard=0/8")


OF = {"of": [8]}


def test_a_batch_has_its_texts_replaced_in_every_section() -> None:
    job = validate_job(
        {
            "version": 1,
            "kind": "batch",
            "model": {
                "entry": "m:C",
                "args": {"a": ["{matrix.of}", 1], "b": {"c": "x"}},
            },
            "input": {"path": "part-{index}.jsonl", "fields": ["{matrix.of}"]},
            "array": {"matrix": OF},
        }
    )
    task = task_spec(job, 0)
    assert task.kind == "batch"
    assert task.model.args == {"a": ["8", 1], "b": {"c": "x"}}
    assert task.input.path == "part-0.jsonl"
    assert task.input.fields == ("8",)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (None, "./out/{id}/5"),
        ("/data/{name}/", "/data/{name}/5"),
        ("out/{index}/{id}", "out/5/{id}"),
    ],
)
def test_each_task_has_a_folder_of_its_own(path: str | None, found: str) -> None:
    output = {} if path is None else {"output": {"path": path}}
    job = command(array="5-6", **output)
    assert task_spec(job, 0).output.path == found
    assert task_output(job, 0) == found


def test_a_task_knows_itself_by_its_environment() -> None:
    job = command(
        array={"matrix": {"lr": [0.1], "Bs": [1, 2]}},
        env={"A": "n{index}", "B": None},
    )
    assert task_env(job, 1, {"A": "n{index}", "B": "{index}"}) == {
        "A": "n1",
        "B": "{index}",
        "ORCH_ARRAY_INDEX": "1",
        "ORCH_ARRAY_SIZE": "2",
        "ORCH_MATRIX_LR": "0.1",
        "ORCH_MATRIX_BS": "2",
    }


@pytest.mark.parametrize("index", [-1, 3])
def test_there_is_no_task_beyond_the_last(index: int) -> None:
    with pytest.raises(IndexError):
        task_spec(command(array="0-2"), index)


def test_a_job_without_an_array_has_no_tasks() -> None:
    assert task_count(command()) == 0
    with pytest.raises(IndexError):
        task_spec(command(), 0)


@pytest.mark.parametrize(
    ("array", "says"),
    [
        ("3-1", "expected a range of numbers"),
        ("0-9:0", "expected a range of numbers"),
        ("0-3%0", "greater than or equal to 1"),
        ("0-3%x", "valid integer"),
        ("0-10000", "10,001 tasks, expected at most 10,000"),
        ("0-999999999", "at most 10,000"),
        ({"matrix": {"a": list(range(101)), "b": list(range(100))}}, "10,100 tasks"),
        ({"matrix": {"a": [1, "1"]}}, "each value once"),
        ({"matrix": {"a": [1], "A": [1]}}, "capitals"),
        ({"matrix": {"a": [[1]]}}, "expected text, a number"),
        ({"matrix": {"a": [float("nan")]}}, "expected text, a number"),
        ({"range": "0-1", "matrix": {"a": [1]}}, "not both"),
        ({"max_parallel": 3}, "either 'range'"),
    ],
    ids=str,
)
def test_an_array_that_is_none_is_refused(array: object, says: str) -> None:
    assert says in refusal(array=array)


def test_the_largest_array_is_taken() -> None:
    assert task_count(command(array="0-9999")) == 10_000


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"array": {"matrix": {"lr": [1]}}, "run": "{matrix.lrr}"}, "no {matrix.lrr};"),
        ({"array": {"matrix": {"lr": [1]}}, "run": "{matrix.lrr}"}, "'matrix.lr'?"),
        ({"array": "0-1", "env": {"A": "{matrix.a}"}}, "no {matrix.a}"),
        ({"output": {"path": "out/{index}"}}, "no {index} without an 'array'"),
    ],
)
def test_a_placeholder_without_a_value_is_refused(
    fields: dict[str, Any], says: str
) -> None:
    assert says in refusal(**fields)


def test_without_an_array_braces_are_the_users_own() -> None:
    assert command(run="awk '{index}' {matrix.x}").run == "awk '{index}' {matrix.x}"


def test_ten_thousand_tasks_take_little_time() -> None:
    job = command(run="echo {index}", array="0-9999")
    began = time.process_time()
    for index in range(0, 10_000, 10):
        task_spec(job, index)
    assert time.process_time() - began < 1.0
