"""What `orch results` says of a job's output folder."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from orchestrator.client.results import FAILED, MANIFEST
from orchestrator.client.views import JobView
from orchestrator.lifecycle.states import State
from orchestrator.render.outcome import rows_text
from orchestrator.render.paths import short_path
from orchestrator.render.table import pairs
from orchestrator.units import MIB, format_count, format_memory


def results_lines(job: JobView) -> list[str]:
    """STATUS, FILE, FAILED and MANIFEST, as far as they are there."""
    partial = "" if job.state is State.SUCCEEDED else f"   (job {job.state}; partial)"
    items = [("STATUS", rows_text(job) + partial)]
    items.append(("FILE", _file(job)))
    folder = Path(job.output)
    if (folder / FAILED).is_file():
        items.append(("FAILED", _failed(folder / FAILED)))
    if (folder / MANIFEST).is_file():
        items.append(("MANIFEST", _manifest(folder / MANIFEST)))
    return pairs(items)


def failures_by_code(failed: Path) -> Counter[str]:
    """How many rows of a failed.jsonl failed with which code."""
    counts: Counter[str] = Counter()
    with failed.open(encoding="utf-8") as lines:
        counts.update(str(json.loads(line).get("code")) for line in lines)
    return counts


def _file(job: JobView) -> str:
    if job.results is None:
        return "-   (not merged yet; rows so far: --partial)"
    path = Path(job.results)
    size = _size(path.stat().st_size) if path.is_file() else "not on this node"
    return f"{short_path(path)}   ({size})"


def _size(size_bytes: int) -> str:
    if size_bytes < MIB:
        return f"{format_count(size_bytes)} bytes"
    return format_memory(size_bytes)


def _failed(path: Path) -> str:
    counts = failures_by_code(path).most_common()
    return f"{short_path(path)}   " + ", ".join(f"{n} of {code}" for code, n in counts)


def _manifest(path: Path) -> str:
    written: dict[str, Any] = json.loads(path.read_text("utf-8"))
    facts = {
        "model": written.get("model"),
        "revision": written.get("revision"),
        "input": written.get("input_fingerprint"),
        "orch": written.get("versions", {}).get("orch"),
        "seed": written.get("seed"),
    }
    told = [f"{name} {fact}" for name, fact in facts.items() if fact is not None]
    return f"{short_path(path)}   {', '.join(told)}".rstrip()
