"""The fields that every kind of job has, and those of a command."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.errors import Code
from orchestrator.spec.job import CommandJob, When, validate_job
from orchestrator.units import GIB
from tests.spec.sample import COMMAND, command_folder, faults, load


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return command_folder(tmp_path)


def spoiled(old: str, new: str) -> str:
    assert COMMAND.count(old) == 1, old
    return COMMAND.replace(old, new)


def test_a_command_is_read_as_it_is_written(folder: Path) -> None:
    job = load(COMMAND, folder).job
    assert isinstance(job, CommandJob)
    assert job.run == "python train.py --lr {matrix.lr}\n"
    assert job.resources.gpus.maximum == 0
    assert (job.resources.cpus, job.resources.memory) == (2.5, 4 * GIB)
    assert [(after.job, after.when) for after in job.after] == [
        (41, When.OK),
        (40, When.ANY),
        ("prepare", When.FAIL),
    ]
    assert (job.timeout.queue, job.timeout.start, job.timeout.run) == (7200, None, 5400)
    assert (job.retry.max, job.retry.on, job.retry.exit_codes) == (3, ("error",), (33,))
    assert (job.retry.backoff.first_s, job.retry.backoff.most_s) == (1, 60)
    assert (job.priority, job.grace, job.workdir) == (-5, 10, "code")
    assert (job.env, job.secrets) == ({"HF_TOKEN": None, "SEED": "0"}, ("HF_TOKEN",))
    assert job.array is not None
    assert (job.array.size, job.array.max_parallel) == (4, 2)


def test_what_is_left_out_has_its_default(tmp_path: Path) -> None:
    job = load("version: 1\nkind: command\nrun: [echo, hi]\n", tmp_path).job
    assert isinstance(job, CommandJob)
    assert job.run == ("echo", "hi")
    assert (job.workdir, job.array, job.grace, job.priority) == (".", None, 30, 0)
    assert (job.retry.max, job.retry.on) == (2, ("node_lost", "worker_died"))
    assert (job.resources.gpus.minimum, job.resources.cpus) == (0, None)


def test_a_command_survives_the_way_to_the_controller(folder: Path) -> None:
    job = load(COMMAND, folder).job
    sent = job.model_dump(mode="json")
    assert validate_job(sent) == job
    assert sent["retry"]["backoff"] == "1s..60s"
    assert sent["after"][1] == {"job": 40, "when": "any"}
    assert validate_job(sent).model_dump(mode="json") == sent


@pytest.mark.parametrize(
    ("old", "new", "code", "place", "says"),
    [
        ("kind: command", "kind: comand", Code.BAD_VALUE, "2:7", "mean 'command'?"),
        ("kind: command", "kind: serve", Code.BAD_VALUE, "2:7", "one of: batch, comm"),
        ("kind: command\n", "", Code.MISSING_FIELD, "1:1", "needs 'kind'"),
        ("kind: command", "knd: command", Code.UNKNOWN_FIELD, "2:1", "mean 'kind'?"),
        ("name: sweep", "model: {id: a}", Code.UNKNOWN_FIELD, "3:1", "to kind: batch"),
        ("gpus: 0", "gpus: 1", Code.BAD_VALUE, "5:9", "cannot have GPUs yet"),
        ("cpus: 2.5", "cpus: 0", Code.BAD_VALUE, "6:9", "a number of CPU cores"),
        ("memory: 4GiB", "memory: 4", Code.BAD_VALUE, "7:11", "an amount of memory"),
        ("priority: -5", "priority: 101", Code.BAD_VALUE, "8:11", "100 or less"),
        ("[41,", "[0,", Code.BAD_VALUE, "9:9", "expected a job's id such as 41"),
        ("[41,", "[1.5,", Code.BAD_VALUE, "9:9", "expected a job's id such as 41"),
        ("[41,", "[40,", Code.BAD_VALUE, "9:13", "job 40 is there twice"),
        ('"40:any"', '"40:maybe"', Code.BAD_VALUE, "9:13", "one of: ok, any, fail"),
        ("job: prepare", "jobs: prepare", Code.UNKNOWN_FIELD, "9:24", "mean 'job'?"),
        ("queue: 2h", "queue: 2", Code.BAD_VALUE, "10:18", "a duration"),
        ("run: 1h30m", "run: 0s", Code.BAD_VALUE, "10:27", "above zero"),
        ("[error]", "[oom]", Code.BAD_VALUE, "13:8", "node_lost, worker_died, error"),
        ("[33]", "[0]", Code.BAD_VALUE, "14:16", "expected 1 or more"),
        ("1s..1m", "1m..1s", Code.BAD_VALUE, "15:12", "a range of durations"),
        ("SEED:", "SE ED:", Code.BAD_VALUE, "17:23", "the name 'SE ED' in 'env'"),
        ("SEED: '0'", "SEED: 0", Code.BAD_VALUE, "17:29", "expected text"),
        ("HF_TOKEN: null", "HF_TOKEN: x", Code.BAD_VALUE, "17:17", "in 'secrets'"),
        ("[HF_TOKEN]", "[1A]", Code.BAD_VALUE, "18:11", "no digit first"),
        ("workdir: code", "workdir: cod", Code.FILE_NOT_FOUND, "19:10", "mean 'code'?"),
        ("workdir: code", "workdir: f", Code.FILE_NOT_FOUND, "19:10", "is a file"),
        ("lr: [", "l r: [", Code.BAD_VALUE, "22:5", "the name 'l r' in 'array.matrix'"),
        ("lr}\n", "l}\n", Code.BAD_VALUE, "27:6", "there is no {matrix.l}"),
        ("run: |", "rum: |", Code.UNKNOWN_FIELD, "27:1", "did you mean 'run'?"),
    ],
)
def test_one_mistake_is_one_fault_at_its_place(
    old: str, new: str, code: Code, place: str, says: str, folder: Path
) -> None:
    text = spoiled(old, new)
    (fault,) = faults(text, folder)
    assert (fault.code, fault.at) == (code, f"j.yaml:{place}")
    assert says in fault.message
    assert fault.excerpt


def test_a_kind_that_is_missing_is_told_with_all_there_are(folder: Path) -> None:
    (fault,) = faults(spoiled("kind: command\n", ""), folder)
    assert fault.fix == "Add 'kind: batch' or 'kind: command'."


def test_an_empty_array_says_what_it_needs(tmp_path: Path) -> None:
    text = "version: 1\nkind: command\nrun: x\narray: {max_parallel: 2}\n"
    (fault,) = faults(text, tmp_path)
    assert fault.message == (
        "'array' needs either 'range' (numbers) or 'matrix' (values), which is missing"
    )


def test_an_input_of_every_task_must_be_there(tmp_path: Path) -> None:
    text = (
        "version: 1\nkind: batch\nmodel: {id: a/b}\n"
        "input: {path: 'part-{index}.jsonl'}\narray: 0-2\n"
    )
    for index in (0, 2):
        (tmp_path / f"part-{index}.jsonl").touch()
    (fault,) = faults(text, tmp_path)
    assert (fault.code, fault.at) == (Code.FILE_NOT_FOUND, "j.yaml:4:15")
    assert "'part-1.jsonl' does not exist" in fault.message


@pytest.mark.parametrize(
    ("when", "state", "allowed"),
    [
        (When.OK, "SUCCEEDED", True),
        (When.OK, "FAILED", False),
        (When.OK, "SKIPPED", False),
        (When.FAIL, "SUCCEEDED", False),
        (When.FAIL, "TIMEOUT", True),
        (When.ANY, "SUCCEEDED", True),
        (When.ANY, "CANCELLED", True),
    ],
)
def test_how_a_job_ended_lets_the_next_one_start(
    when: When, state: str, *, allowed: bool
) -> None:
    assert when.allows(state) == allowed
