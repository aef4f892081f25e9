"""A placement trace: two CSV files with the nodes of a cluster and the pods it got.

The columns are those of the Alibaba GPU trace of 2023 (`cluster-trace-gpu-v2023`).
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from orchestrator.errors import Code, OrchError
from orchestrator.scheduling.plan import Demand
from orchestrator.scheduling.snapshot import DeviceKind, Gpu, Node, Uuid
from orchestrator.units import MIB

WHOLE = 1000
"""A GPU of the trace: thousandths stand for its bytes."""
NODE_LIST = "openb_node_list_gpu_node.csv"
POD_LIST = "openb_pod_list_default.csv"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Machine:
    """One node of a trace and its GPUs."""

    node: Node
    gpus: int
    model: str

    def gpus_on(self, name: str) -> tuple[Gpu, ...]:
        """Its GPUs, all of them free, on a node that is called so."""
        return tuple(
            Gpu(
                uuid=Uuid(f"{name}/{index}"),
                node_id=name,
                node=name,
                index=index,
                model=self.model,
                kind=DeviceKind.CUDA,
                total_bytes=WHOLE,
                free_bytes=WHOLE,
            )
            for index in range(self.gpus)
        )

    def named(self, name: str) -> Node:
        """Its CPU and RAM, on a node that is called so."""
        return replace(self.node, node_id=name, node=name)


@dataclass(frozen=True, slots=True)
class Trace:
    """A cluster, and what was asked of it in the order of the list."""

    machines: tuple[Machine, ...]
    pods: tuple[Demand, ...]


def read_trace(folder: Path, pods: Path | None = None) -> Trace:
    """Read a trace.

    Args:
        folder: Has the list of nodes, and that of pods.
        pods: Another list of pods.

    Raises:
        OrchError: E204 a list is not there; E203 it is not one.
    """
    machines = _rows(folder / NODE_LIST, _machine)
    return Trace(machines, _rows(pods or folder / POD_LIST, _pod))


def _rows(path: Path, read: Callable[[dict[str, str]], T]) -> tuple[T, ...]:
    found: list[T] = []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                found.append(_read(path, len(found) + 2, row, read))
    except OSError as error:
        raise OrchError.of(
            Code.FILE_NOT_FOUND,
            f"cannot read {path}: {error.strerror}",
            fix=f"give the folder that has {NODE_LIST} and {POD_LIST}",
        ) from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise OrchError.of(Code.BAD_VALUE, f"{path} is not CSV: {error}") from error
    if not found:
        raise OrchError.of(Code.BAD_VALUE, f"{path} has no rows")
    return tuple(found)


def _read(
    path: Path, line: int, row: dict[str, str], read: Callable[[dict[str, str]], T]
) -> T:
    try:
        return read(row)
    except KeyError as error:
        raise OrchError.of(
            Code.BAD_VALUE, f"{path} has no column {error}", at=f"{path}:1"
        ) from error
    except (TypeError, ValueError) as error:
        raise OrchError.of(
            Code.BAD_VALUE,
            f"{path} has a row that cannot be read: {error}",
            at=f"{path}:{line}",
        ) from error


def _machine(row: dict[str, str]) -> Machine:
    name = row["sn"]
    cpu, ram = int(row["cpu_milli"]), int(row["memory_mib"]) * MIB
    return Machine(Node(name, name, cpu, ram), int(row["gpu"]), row["model"])


def _pod(row: dict[str, str]) -> Demand:
    gpus = int(row["num_gpu"])
    milli = int(row["gpu_milli"]) if gpus else 0
    if not (gpus >= 0 and 0 <= milli <= WHOLE and (gpus <= 1 or milli == WHOLE)):
        raise ValueError(f"{gpus} GPUs with {milli} thousandths each")
    spec = row["gpu_spec"] or ""
    return Demand(
        engine_key="",
        weights_bytes=milli,
        activation_bytes=0,
        context_bytes=0,
        minimum=1,
        maximum=1,
        gang=gpus,
        share=gpus == 1 and milli < WHOLE,
        cpu_milli=int(row["cpu_milli"]),
        ram_bytes=int(row["memory_mib"]) * MIB,
        gpu_type=tuple(name for name in spec.split("|") if name),
    )
