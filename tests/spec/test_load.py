from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from orchestrator.errors import EXIT_USAGE, Code, OrchError
from orchestrator.spec.job import BatchJob, GpuRange, validate_job
from orchestrator.spec.load import MAX_BYTES, default_name, load_job
from orchestrator.units import GIB
from tests.spec.sample import GOOD, faults, good_folder, load, load_batch, spoiled


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return good_folder(tmp_path)


def error_of(path: Path) -> OrchError:
    with pytest.raises(OrchError) as caught:
        load_job(path)
    assert caught.value.fault.exit_code == EXIT_USAGE
    return caught.value


def test_a_good_file_is_read_as_it_is_written(folder: Path) -> None:
    path = folder / "j.yaml"
    path.write_text(GOOD)
    loaded = load_job(path, ["params.max_length=64"])
    assert loaded.text == GOOD
    assert (loaded.path, loaded.folder) == (path, folder)
    assert loaded.overrides == ("params.max_length=64",)
    job = loaded.job
    assert isinstance(job, BatchJob)
    assert job.resources.gpus == GpuRange(minimum=1, maximum=2)
    assert job.resources.gpu_memory == 20 * GIB
    assert job.model.args == {"a": 1, "b": ["x", "y"], "c": {"d": 1e-4}}
    assert job.params.truncate is True
    assert job.params.max_length == 64
    assert job.keep_alive == 120


def test_a_job_survives_the_way_to_the_controller(folder: Path) -> None:
    job = load_batch(GOOD, folder)
    assert validate_job(job.model_dump(mode="json")) == job


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("jobs/embed.yaml", "embed"),
        ("my job (2).yaml", "my-job-2"),
        ("stdin", "stdin"),
        ("-", "job"),
        ("é.yml", "job"),
        ("x" * 80 + ".yaml", "x" * 63),
        ("a.b.yaml", "a.b"),
    ],
)
def test_a_job_without_a_name_has_its_files(
    name: str, expected: str, folder: Path
) -> None:
    assert default_name(name) == expected
    assert load(spoiled("name: embed\n", ""), folder).job.name == "j"


def test_the_transcript_of_the_command_line_page(folder: Path) -> None:
    text = spoiled("  gpus:", "  gpu_mem: 20GB\n  gpus:").replace(
        "on_exists: resume", "on_exists: resum"
    )
    first, second = faults(text, folder)
    assert first.code is Code.UNKNOWN_FIELD
    assert first.at == "j.yaml:10:3"
    assert first.message == (
        "'gpu_mem' is not a field of 'resources'; did you mean 'gpu_memory'?"
    )
    assert first.excerpt == (
        "   9 │ resources:",
        "  10 │   gpu_mem: 20GB",
        "     │   ^^^^^^^",
    )
    assert first.fix == (
        "Fields of 'resources': "
        "gpus, gpu_memory, exclude, gpu_type, share, cpus, memory"
    )
    assert second.code is Code.BAD_VALUE
    assert second.at == "j.yaml:24:14"
    assert second.message == (
        "output.on_exists 'resum' — expected one of: resume, fail, overwrite"
        " (did you mean 'resume'?)"
    )
    assert second.excerpt[-1] == "     │              ^^^^^"


@pytest.mark.parametrize(
    ("old", "new", "code", "place", "says"),
    [
        ("kind: batch", "kind: bach", Code.BAD_VALUE, "3:7", "mean 'batch'?"),
        ("version: 1\n", "", Code.MISSING_FIELD, "2:1", "needs 'version'"),
        ("  path: data.jsonl\n", "", Code.MISSING_FIELD, "13:1", "'input' needs 'pa"),
        ("  id: org/name\n", "", Code.MISSING_FIELD, "5:1", "either 'id' (a model)"),
        ("id: org/name", "id:", Code.MISSING_FIELD, "5:1", "either 'id' (a model)"),
        ("org/name", "a\n  entry: m:C", Code.BAD_VALUE, "7:10", "not both"),
        ("id: org/name", "entry: mod", Code.BAD_VALUE, "6:10", "my_model:MyModel"),
        ("dtype: auto", "dtype: fp16", Code.BAD_VALUE, "7:10", "float16"),
        ('"1..2"', "0", Code.BAD_VALUE, "10:9", "resources.gpus 0 — expected auto"),
        ('"1..2"', "{min: 1}", Code.UNKNOWN_FIELD, "10:10", "'resources.gpus'"),
        ("20GiB", "20", Code.BAD_VALUE, "11:15", "gpu_memory 20 — expected an amount"),
        ("20GiB", "0GiB", Code.BAD_VALUE, "11:15", "expected an amount"),
        ('["node:0"]', "[a, 3]", Code.BAD_VALUE, "12:16", "resources.exclude[1] 3"),
        ('["node:0"]', "", Code.BAD_VALUE, "12:3", "resources.exclude is empty"),
        ("max_length: 128", "max_length: true", Code.BAD_VALUE, "17:22", "a whole num"),
        ("in_flight: 3", "in_flight: 17", Code.BAD_VALUE, "19:14", "expected 16 or le"),
        ("1%", "few", Code.BAD_VALUE, "20:15", "a share such as 1%"),
        ("/out/{id}", "/out/{day}", Code.BAD_VALUE, "22:9", "{id} and {name}"),
        ("2m", "90", Code.BAD_VALUE, "24:13", "keep_alive 90 — expected a duration"),
        ("name: embed", "name: -x", Code.BAD_VALUE, "4:7", "a letter or digit first"),
        ("name: embed", "name: 12", Code.BAD_VALUE, "4:7", "name 12 — expected text"),
        ("name: embed", "gpus: 2", Code.UNKNOWN_FIELD, "4:1", "belongs in 'resources'"),
        ("  in_flight", "  in-flight", Code.UNKNOWN_FIELD, "19:3", "mean 'in_flight'"),
        ("name: embed", "kind: batch", Code.BAD_VALUE, "4:1", "twice; first on line 3"),
        ("data.jsonl", "rows.jsonl", Code.FILE_NOT_FOUND, "14:9", "does not exist"),
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


def test_a_section_whose_lines_are_all_comments_is_empty(folder: Path) -> None:
    text = spoiled("params: {max_length: 128, truncate: on}", "params:\n  # none")
    assert load_batch(text, folder).params.max_length is None


def test_a_section_of_required_fields_that_is_empty_misses_them(folder: Path) -> None:
    start, end = GOOD.index("  path: data"), GOOD.index("params:")
    (fault,) = faults(GOOD[:start] + GOOD[end:], folder)
    assert fault.code is Code.MISSING_FIELD
    assert fault.at == "j.yaml:13:1"


def test_a_misspelt_field_hides_no_other_mistake(folder: Path) -> None:
    text = spoiled("  gpu_memory: 20GiB", "  gpu_mem: 1\n  gpu_memory: 20")
    assert [fault.at for fault in faults(text, folder)] == [
        "j.yaml:11:3",
        "j.yaml:12:15",
    ]


def test_a_missing_section_says_how_to_write_it(folder: Path) -> None:
    (fault,) = faults("version: 1\nkind: batch\nmodel: {id: a/b}\n", folder)
    assert fault.message == "the job file needs 'input', which is missing"
    assert fault.fix == "Add 'input:' with its 'path'."


def test_a_number_where_text_belongs_is_shown_in_quotes(folder: Path) -> None:
    (fault,) = faults(spoiled("name: embed", "name: 0x10"), folder)
    assert fault.fix == "Put it in quotes: name: '0x10'"


class TestFile:
    def test_missing(self, tmp_path: Path) -> None:
        (tmp_path / "embed.yaml").write_text(GOOD)
        fault = error_of(tmp_path / "embd.yaml").fault
        assert fault.code is Code.FILE_NOT_FOUND
        assert "did you mean 'embed.yaml'?" in fault.message
        assert fault.fix == "Job files here: embed.yaml"

    def test_missing_with_its_folder(self, tmp_path: Path) -> None:
        fault = error_of(tmp_path / "no" / "such.yaml").fault
        assert fault.code is Code.FILE_NOT_FOUND

    def test_a_folder(self, tmp_path: Path) -> None:
        fault = error_of(tmp_path).fault
        assert fault.code is Code.UNREADABLE_YAML
        assert "is a folder" in fault.message

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
    def test_not_ours_to_read(self, tmp_path: Path) -> None:
        path = tmp_path / "j.yaml"
        path.touch(mode=0o000)
        assert "permission denied" in error_of(path).fault.message

    def test_a_name_that_no_file_can_have(self) -> None:
        assert error_of(Path("a\0b")).fault.code is Code.UNREADABLE_YAML
        assert error_of(Path("a" * 5000)).fault.code is Code.UNREADABLE_YAML

    @pytest.mark.parametrize(
        ("data", "at", "says"),
        [
            (b"", "1:1", "the file is empty"),
            (b"# nothing\n", "1:1", "the file is empty"),
            (b"\xef\xbb\xbf", "1:1", "the file is empty"),
            (b"- a\n- b\n", "1:1", "found a list"),
            (b"hello\n", "1:1", "found only a value"),
            (b"a: 1\nb: caf\xe9\n", "2:7", "byte 0xe9 is not UTF-8"),
            (b"\xef\xbb\xbfa: \xc3\xa9\xe9", "1:5", "byte 0xe9 is not UTF-8"),
            ("a: 1".encode("utf-16"), "1:1", "it looks like UTF-16"),
            (b"a: 1\r\nb: \x07\r\n", "2:4", "the character U+0007"),
        ],
    )
    def test_unreadable(self, data: bytes, at: str, says: str, tmp_path: Path) -> None:
        path = tmp_path / "j.yaml"
        path.write_bytes(data)
        (fault,) = error_of(path).faults
        assert fault.code is Code.UNREADABLE_YAML
        assert fault.at == f"{path}:{at}"
        assert says in fault.message

    def test_too_large(self, tmp_path: Path) -> None:
        path = tmp_path / "j.yaml"
        path.write_bytes(b"#" * (MAX_BYTES + 1))
        assert "larger than 1 MiB" in error_of(path).fault.message

    def test_a_byte_order_mark_moves_nothing(self, folder: Path) -> None:
        path = folder / "j.yaml"
        path.write_text("\ufeff" + GOOD)
        assert load_job(path).job.name == "embed"


def test_reading_takes_little_time(folder: Path) -> None:
    path = folder / "j.yaml"
    path.write_text(GOOD)
    times = []
    for _ in range(10):
        start = time.perf_counter()
        load_job(path)
        times.append(time.perf_counter() - start)
    assert min(times) < 0.020


def test_it_imports_nothing_heavy() -> None:
    code = (
        "import sys, orchestrator.spec.load as _;"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert {"yaml", "pydantic"} <= loaded
    foreign = {name for name in loaded if not name.startswith("_")}
    assert not foreign & {"ray", "torch", "numpy", "httpx", "click", "rich", "asyncio"}
