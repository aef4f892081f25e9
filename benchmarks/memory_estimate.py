"""The estimate of a model's memory beside what the model really takes.

    python -m benchmarks.memory_estimate                 # on a GPU: reserved + context
    python -m benchmarks.memory_estimate --calibrate     # the GPU's own constants, too
    python -m benchmarks.memory_estimate --device cpu    # tensors alive, as traced
    python -m benchmarks.memory_estimate --smoke         # the same, tiny, in seconds

Random weights from configs, no network. On a GPU every cell runs three times: freely,
which is what errors are measured against; within what was estimated, which must not
fail ("fits: yes"); with a tenth less than the least that was reckoned, which must
("short: oom"). On a CPU what is compared are weights and the bytes of all tensors that
are alive at the widest moment.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from time import monotonic

import torch
import transformers

from benchmarks.memory.cells import CPU_CELLS, GPU_CELLS, SMOKE_CELLS, Cell
from benchmarks.memory.on_cpu import measure_on_cpu
from benchmarks.memory.on_gpu import Gpu
from benchmarks.memory.rivals import source
from benchmarks.memory.table import Measured, markdown
from orchestrator.units import MIB

_CPU_PART, _SMOKE_PART = 4, 8


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures all cells and prints the table; 1 if one failed or fits not as said."""
    args = parse(arguments)
    transformers.utils.logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    if args.device == "cpu" or args.smoke:
        part, cells = (
            (_SMOKE_PART, SMOKE_CELLS) if args.smoke else (_CPU_PART, CPU_CELLS)
        )
        gpu, measure = None, _on_cpu(part)
    else:
        gpu, cells = Gpu(), GPU_CELLS
        gpu.warm()
        measure = gpu.measure
    chosen = [cell for cell in cells if not args.only or args.only in cell.name]
    results = _measured(chosen, measure, args)
    print(markdown(results))
    print(f"\n{_environment(gpu)}")
    if gpu is not None and args.calibrate:
        print(_calibration(gpu, results))
    return 1 if any(map(_failed, results)) else 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--smoke", action="store_true", help="tiny, on the CPU")
    parser.add_argument("--calibrate", action="store_true")
    parser.add_argument("--only", default="", help="cells whose name holds this")
    parser.add_argument("--seconds", type=float, default=200.0, help="then it stops")
    parser.add_argument("--json", type=Path, help="write results here, cell by cell")
    return parser.parse_args(arguments)


def _on_cpu(part: int) -> Callable[[Cell], Measured]:
    return lambda cell: measure_on_cpu(cell, part)


def _measured(
    cells: Sequence[Cell], measure: Callable[[Cell], Measured], args: argparse.Namespace
) -> list[Measured]:
    results: list[Measured] = []
    started = monotonic()
    for cell in cells:
        if monotonic() - started > args.seconds:
            results.append(Measured(cell, error="no time left"))
            continue
        results.append(_tried(cell, measure))
        said = results[-1].error or f"{results[-1].ours:+.2f} %"
        print(f"{cell.name}: {said}", file=sys.stderr, flush=True)
        if args.json:
            content = [asdict(result) for result in results]
            args.json.write_text(json.dumps(content, indent=1) + "\n")
    return results


def _tried(cell: Cell, measure: Callable[[Cell], Measured]) -> Measured:
    try:
        return measure(cell)
    except Exception as error:  # noqa: BLE001 - one cell must not cost the others
        text = str(error).splitlines() or [""]
        return Measured(cell, error=f"{type(error).__name__}: {text[0][:120]}")


def _failed(result: Measured) -> bool:
    return bool(result.error) or result.fits == "OOM" or result.short == "runs"


def _environment(gpu: Gpu | None) -> str:
    where = f"{platform.processor() or platform.machine()}, no GPU"
    if gpu is not None:
        where = f"{gpu.name}, context by {gpu.source}"
    return (
        f"{where}, Python {platform.python_version()}, torch {torch.__version__},"
        f" transformers {transformers.__version__}, {source()}"
    )


def _calibration(gpu: Gpu, results: Sequence[Measured]) -> str:
    contexts = sorted(r.context_bytes for r in results if not r.error)
    median = int(statistics.median(contexts))
    span = f"{contexts[0] / MIB:.1f} to {contexts[-1] / MIB:.1f}"
    return (
        f"context of {gpu.name}: {median / MIB:.1f} MiB (median; {span})\n"
        f"workspace, left when no model is there: {gpu.workspace_bytes() / MIB:.3f} MiB"
        f'\norchestrator/estimate/gpus.py: _CONTEXT["{gpu.name}"] = {median}'
    )


if __name__ == "__main__":
    sys.exit(main())
