"""The table, for people and as JSON."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

TITLES = {
    "loop": "hand-written loop",
    "dataparallel": "`torch.nn.DataParallel`",
    "threads": "one thread per GPU",
    "ray": "plain Ray actors",
    "static": "static split, a process per GPU",
    "orch": "**orch**",
}
CASE_TITLES = {"fixed": "128 tokens", "skewed": "8..512 tokens"}
NOTES = (
    "Rate: rows between the first moment with 15 % of them done and the end of the "
    "last, by the times at which batches (orch: chunks) were finished.",
    "Every set-up but orch starts from token ids; orch from text in a file, and its "
    "rate includes reading, tokenising and writing the results.",
    "Rivals: sdpa, pinned copies, batches of 512 (DataParallel: 512 for each GPU) "
    "sorted by length over all their rows and padded to the longest.",
    "Whole run: from the start of the program (orch: on a cluster that is up) to "
    "its end, loading the model included; orch's results are merged in order by then.",
)
PROGRAM = ("python", "-m", "benchmarks.encoder_scaling")
LIBRARIES = ("torch", "transformers", "tokenizers", "ray", "numpy", "pyarrow")


@dataclass(frozen=True, slots=True)
class Measured:
    """One set-up on one case.

    Attributes:
        setup: Its key in `TITLES`.
        gpus: How many it used.
        case: `fixed` or `skewed`.
        rows: How many rows it ran.
        rate: Rows a second in steady state.
        whole_s: Seconds from its start to its end, everything included.
        cosine: The worst row's agreement with the first set-up that ran.
        centred: The same with the mean of all rows taken away.
        error: Why there are no numbers, or empty.
    """

    setup: str
    gpus: int
    case: str
    rows: int
    rate: float = 0.0
    whole_s: float = 0.0
    cosine: float = 1.0
    centred: float = 1.0
    error: str = ""


def rate_of(
    results: Sequence[Measured], setup: str, gpus: int, case: str
) -> float | None:
    """The rate of a set-up, if it was measured."""
    for m in results:
        if (m.setup, m.gpus, m.case) == (setup, gpus, case) and not m.error:
            return m.rate
    return None


def markdown(results: Sequence[Measured]) -> str:
    """One line per set-up and number of GPUs, the cases side by side."""
    cases = [case for case in CASE_TITLES if any(m.case == case for m in results)]
    titles = ["set-up", "GPUs"]
    for case in cases:
        titles += [f"{CASE_TITLES[case]}: sequences/s", "x loop", "whole run"]
    lines = [_line(titles), _line(["---", *["---:"] * (len(titles) - 1)])]
    for setup, gpus in dict.fromkeys((m.setup, m.gpus) for m in results):
        cells = [TITLES[setup], str(gpus)]
        for case in cases:
            cells += _cells(results, setup, gpus, case)
        lines.append(_line(cells))
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cells(
    results: Sequence[Measured], setup: str, gpus: int, case: str
) -> tuple[str, str, str]:
    found = [m for m in results if (m.setup, m.gpus, m.case) == (setup, gpus, case)]
    if not found:
        return "", "", ""
    if found[0].error:
        return "failed", "", ""
    whole = f"{found[0].whole_s:.1f} s for {found[0].rows:,}"
    times = _ratio(found[0].rate, rate_of(results, "loop", 1, case))
    return f"{found[0].rate:,.0f}", times, whole


def _ratio(ours: float | None, theirs: float | None) -> str:
    return f"{ours / theirs:.3f}" if ours and theirs else ""


def ratios(results: Sequence[Measured]) -> dict[str, float]:
    """The figures that orch is held to."""
    found: dict[str, float] = {}
    for m in results:
        if m.setup != "orch" or m.error:
            continue
        rivals = {
            "orch on 1 / loop": rate_of(results, "loop", 1, m.case)
            if m.gpus == 1
            else None,
            f"orch on {m.gpus} / orch on 1": rate_of(results, "orch", 1, m.case)
            if m.gpus > 1
            else None,
            f"orch on {m.gpus} / static split": rate_of(
                results, "static", m.gpus, m.case
            ),
        }
        for name, rival in rivals.items():
            if rival:
                found[f"{CASE_TITLES[m.case]}: {name}"] = m.rate / rival
    return found


def environment() -> dict[str, str]:
    """Date, command, hardware and versions."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "command": shlex.join([*PROGRAM, *sys.argv[1:]]),
        "gpus": ", ".join(gpu_names()) or "none",
        "cpu cores": str(os.cpu_count()),
        "python": platform.python_version(),
        **{name: _version(name) for name in LIBRARIES},
    }


def _version(library: str) -> str:
    try:
        return importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def gpu_names() -> list[str]:
    """The GPUs of this machine that we may use, without touching CUDA."""
    if shutil.which("nvidia-smi") is None:
        return []
    query = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    listed = subprocess.run(query, capture_output=True, text=True, check=False)
    names = listed.stdout.splitlines() if listed.returncode == 0 else []
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return names if visible is None else names[: len(visible.split(","))]


def document(results: Sequence[Measured]) -> str:
    """Everything that goes into docs/benchmarks.md."""
    parts = [markdown(results)]
    held = [f"* {name}: {value:.3f}" for name, value in ratios(results).items()]
    parts.append("\n".join(held))
    parts.append("\n".join(f"* {note}" for note in NOTES))
    about = [f"{key}: {value}" for key, value in environment().items()]
    parts.append("\n".join(["```", *about, "```"]))
    return "\n\n".join(part for part in parts if part)
