from __future__ import annotations

import base64
from pathlib import Path

import pytest

from orchestrator.client.code import snapshot_code
from orchestrator.errors import Code, OrchError


def _write(folder: Path, *paths: str) -> None:
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(path)


def test_modules_and_packages_travel_and_nothing_else(tmp_path: Path) -> None:
    wanted = ["my_model.py", "layers/__init__.py", "layers/deep/__init__.py"]
    wanted.append("layers/deep/attention.py")
    other = ["data/no_package.py", ".venv/__init__.py", ".git/__init__.py"]
    other += ["__pycache__/__init__.py", "venv/__init__.py", "weights.bin"]
    _write(tmp_path, *wanted, *other)
    code = snapshot_code(tmp_path)
    assert sorted(code) == sorted(wanted)
    for path, content in code.items():
        assert base64.b64decode(content).decode() == path


def test_too_much_code_names_the_five_largest(tmp_path: Path) -> None:
    for number in range(7):
        (tmp_path / f"m{number}.py").write_bytes(b"#" * (number + 1))
    with pytest.raises(OrchError) as error:
        snapshot_code(tmp_path, limit_bytes=27)
    fault = error.value.fault
    assert fault.code is Code.BAD_VALUE
    assert [fact.split()[-1] for fact in fault.facts] == [
        *("m6.py", "m5.py", "m4.py", "m3.py", "m2.py")
    ]


def test_no_folder_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(OrchError) as error:
        snapshot_code(tmp_path / "{index}")
    assert error.value.fault.code is Code.FILE_NOT_FOUND


def test_code_at_the_limit_travels(tmp_path: Path) -> None:
    (tmp_path / "m.py").write_bytes(b"#" * 27)
    assert list(snapshot_code(tmp_path, limit_bytes=27)) == ["m.py"]
