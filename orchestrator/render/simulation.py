"""The table of `orch simulate`, and its JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from orchestrator.render.table import table
from orchestrator.simulator.experiment import READ_AT, Result, Run

_PLUS_MINUS = "\N{PLUS-MINUS SIGN}"
_HEADER = (
    "POLICY",
    "SEEDS",
    *(f"UNALLOCATED AT {percent} %" for percent in READ_AT),
    "MS / DECISION",
)


def simulation_table(results: Sequence[Result]) -> list[str]:
    """A line per policy: percent of the GPUs, mean and deviation over the seeds."""
    return table(_HEADER, [_row(result) for result in results], _HEADER[1:])


def simulation_json(results: Sequence[Result]) -> list[dict[str, Any]]:
    """The same as data, with every seed."""
    return [
        {
            "policy": result.policy,
            "ms_per_decision": result.ms_per_decision,
            "unallocated_percent": {
                str(percent): dict(
                    zip(("mean", "sd"), result.unallocated(percent), strict=True)
                )
                for percent in READ_AT
            },
            "seeds": [_seed(run) for run in result.runs],
        }
        for result in results
    ]


def _row(result: Result) -> tuple[str, ...]:
    shown = [
        f"{average:.2f} % {_PLUS_MINUS} {deviation:.2f}"
        for average, deviation in map(result.unallocated, READ_AT)
    ]
    return (
        result.policy,
        str(len(result.runs)),
        *shown,
        f"{result.ms_per_decision:.3f}",
    )


def _seed(run: Run) -> dict[str, Any]:
    return {
        "seed": run.seed,
        "decisions": run.decisions,
        "seconds": run.seconds,
        "unallocated_percent": {
            str(percent): run.unallocated[percent] for percent in READ_AT
        },
    }
