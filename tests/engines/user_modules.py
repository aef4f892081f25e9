"""Modules as a user would write them, and what becomes of rows in them."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent
from typing import Any

import numpy as np
import pytest

from orchestrator.data.rows import Rows
from orchestrator.engines.base import Columns, EngineSpec, Prepared
from orchestrator.engines.executors import executor_for
from orchestrator.engines.registry import preparer_for
from orchestrator.errors import Fault, OrchError
from orchestrator.spec.job import Model
from tests.engines.small_models import engine_spec

_names = iter(f"user_{i}" for i in range(1000))


def spec_of(
    body: str,
    folder: Path,
    fields: tuple[str, ...] = ("x",),
    files: dict[str, str] | None = None,
) -> EngineSpec:
    """A module `M` with this body, in a file that no other test has imported."""
    name = next(_names)
    source = "import torch\n\nclass M(torch.nn.Module):\n" + "".join(
        f"    {line}\n" for line in dedent(body).strip().splitlines()
    )
    code = {f"{name}.py": source} | (files or {})
    encoded = {path: text.encode() for path, text in code.items()}
    return engine_spec(Model(entry=f"{name}:M"), folder, fields=fields, code=encoded)


def run(spec: EngineSpec, rows: Rows) -> tuple[Columns, Prepared]:
    executor = executor_for(spec)
    prepared = preparer_for(spec, executor.load().budget).prepare(rows)
    parts = [executor.launch(batch)() for batch in prepared.batches]
    columns: Columns = {
        name: [value for part in parts for value in part[name]] for name in parts[0]
    }
    return columns, prepared


def outcome(
    body: str, folder: Path, rows: Rows, fields: tuple[str, ...] = ("x",)
) -> dict[str, Any]:
    columns, _ = run(spec_of(body, folder, fields), rows)
    return {name: np.array(list(v)).tolist() for name, v in columns.items()}


def failure(body: str, folder: Path, rows: Rows) -> Fault:
    with pytest.raises(OrchError) as caught:
        run(spec_of(body, folder), rows)
    return caught.value.fault
