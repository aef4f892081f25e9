"""The controller's JSON, built from the real types."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, cast

from orchestrator.errors import Fault
from orchestrator.scheduling.plan import (
    Demand,
    Diagnosis,
    Placement,
    Plan,
    Reason,
    Refusal,
)
from orchestrator.scheduling.snapshot import DeviceKind, Gpu, Reservation, Uuid
from orchestrator.units import GIB, MIB

FINAL = ("SUCCEEDED", "FAILED", "CANCELLED", "TIMEOUT", "LOST", "SKIPPED")
HEALTH = {
    "version": "0.1.0",
    "pid": 1,
    "ray_address": "127.0.0.1:6379",
    "dashboard": "http://127.0.0.1:8265",
    "nodes": ["local"],
}
DEMAND = Demand("key", 90 * MIB, 400 * MIB, 0)


def gpu(index: int, *, free_bytes: int = 20 * GIB, problem: str = "") -> Gpu:
    return Gpu(
        uuid=Uuid(f"GPU-{index}"),
        node_id="n1",
        node="local",
        index=index,
        model="RTX 4090",
        kind=DeviceKind.CUDA,
        total_bytes=24 * GIB,
        free_bytes=free_bytes,
        problem=problem,
        utilization=93,
        temperature=61,
    )


def plan(*indices: int) -> Plan:
    return Plan(
        DEMAND,
        tuple(
            Placement(n, gpu(index), DEMAND.reserve_bytes, 20 * GIB)
            for n, index in enumerate(indices)
        ),
        "the model fits on one GPU",
    )


def diagnosis(*, ever: bool, free_bytes: int = GIB) -> Diagnosis:
    reason = Reason.BUSY if ever else Reason.TOO_SMALL
    refusal = Refusal(
        gpu(0, free_bytes=free_bytes), reason, 40 * GIB, free_bytes, "held by job 7"
    )
    return Diagnosis(DEMAND, (refusal,), ever, "it needs 1 GPU with 40.0 GiB")


def reservation(index: int, holder: str, *, idle: bool = False) -> Reservation:
    return Reservation(
        Uuid(f"GPU-{index}"), holder, 4 * GIB, 3 * GIB, f"e{index}", "key", idle
    )


def job(
    job_id: int = 42, /, state: str = "RUNNING", **changes: object
) -> dict[str, Any]:
    """A JobView as JSON; `progress` changes single entries of the progress."""
    final = state in FINAL
    progress = {
        "phase": "done" if final else state.lower(),
        "rows_total": 12000,
        "rows_done": 4210,
        "rows_failed": 2,
        "rows_reused": 0,
        "rows_per_second": 46.8,
        "eta_seconds": 166.0,
        "first_result_seconds": None,
        **cast("dict[str, object]", changes.pop("progress", {})),
    }
    document = {
        "id": job_id,
        "name": "embed",
        "kind": "batch",
        "state": state,
        "version": 1,
        "created_at": "2026-01-02T03:04:05Z",
        "started_at": None,
        "finished_at": "2026-01-02T03:08:26Z" if final else None,
        "model": "all-MiniLM-L6-v2",
        "plan": None,
        "diagnosis": None,
        "progress": progress,
        "replicas": [],
        "output": "/nowhere/out/42",
        "results": None,
        "faults": [],
        "notices": [],
        "task": None,
        "key": str(job_id),
        "priority": 0,
        "attempt": 1,
        "cause": "",
        "waiting": [],
        "position": None,
        "after": [],
        "not_before": None,
        "tasks": None,
        "command": None,
        "attempts": [],
        "returned": [],
        "logs": "",
    }
    return {**document, **changes}


def command(
    job_id: int = 42, /, state: str = "RUNNING", **changes: object
) -> dict[str, Any]:
    """A view of a job that runs a command; `command` changes single entries of it."""
    run = {
        "run": "echo hello",
        "exit_code": {"SUCCEEDED": 0, "FAILED": 3}.get(state),
        "signal": None,
        "pid": 71,
        "node": "local",
        **cast("dict[str, object]", changes.pop("command", {})),
    }
    rows = {"rows_total": None, "rows_done": 0, "rows_failed": 0}
    began = None if state in ("PENDING", "SKIPPED") else "2026-01-02T03:04:06Z"
    plain: dict[str, object] = {
        "name": "hello",
        "kind": "command",
        "model": "",
        "output": "",
        "started_at": began,
        "command": run,
        "progress": {**rows, "rows_per_second": 0.0, "eta_seconds": None},
    }
    return job(job_id, state, **{**plain, **changes})


def waiting(tier: str, text: str, **data: object) -> dict[str, Any]:
    return {"tier": tier, "text": text, "data": data}


def tasks(**counts: int) -> dict[str, int]:
    return {"total": sum(counts.values()), **counts}


def event(at: str, text: str, *does: str, **more: object) -> dict[str, Any]:
    """An event of a story, at `at` o'clock."""
    return {
        "at": f"2026-01-02T{at}Z",
        "event": "Something",
        "state": "",
        "cause": "",
        "text": text,
        "data": {},
        "does": list(does),
        **more,
    }


def usage(job_id: int, user: str, gpu_seconds: float, **more: object) -> dict[str, Any]:
    return {
        "id": job_id,
        "task": None,
        "name": "embed",
        "kind": "batch",
        "model": "all-MiniLM-L6-v2",
        "user": user,
        "gpu": "local:0",
        "gpu_model": "RTX 4090",
        "started_at": "2026-01-02T03:04:05Z",
        "finished_at": "2026-01-02T03:08:26Z",
        "gpu_seconds": gpu_seconds,
        **more,
    }


def replicas(state: str, count: int = 2) -> list[dict[str, Any]]:
    return [
        {"replica": n, "gpu": f"local:{n}", "state": state, "warm": False, "detail": ""}
        for n in range(count)
    ]


def gpus(
    of: tuple[Gpu, ...], reservations: tuple[Reservation, ...] = ()
) -> dict[str, Any]:
    return {
        "gpus": [asdict(each) for each in of],
        "reservations": [asdict(each) for each in reservations],
    }


def faults(*of: Fault) -> dict[str, Any]:
    return {"error": {"faults": [fault.to_json() for fault in of]}}
