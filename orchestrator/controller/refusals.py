"""Why a job is not accepted, in words; what is hopeless is refused at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from orchestrator.errors import EXIT_NEVER, EXIT_NOT_NOW, Code, Fault, OrchError
from orchestrator.lifecycle.key import JobKey
from orchestrator.runtime.node_agents import NodeRoom
from orchestrator.scheduling.decide import NOT_YET, only_cut
from orchestrator.scheduling.diagnosis import (
    demand_line,
    diagnosis_fault,
    ways_to_run_whole,
)
from orchestrator.scheduling.plan import Diagnosis, Plan
from orchestrator.scheduling.queue_cpu import CpuDemand
from orchestrator.scheduling.waiting import node_need
from orchestrator.spec.job import Job


def refuse_hopeless(answer: Plan | Diagnosis, *, now: bool) -> None:
    """Refuse what the scheduler finds no GPUs for.

    Args:
        answer: What it says.
        now: Whether the job must start at once.

    Raises:
        OrchError: E101, never, not yet, or not now where it must; E102, the GPUs are
            only described.
    """
    if only_cut(answer):
        raise OrchError((_not_yet(answer),))
    if isinstance(answer, Plan):
        _refuse_fakes(answer)
    elif not answer.ever:
        raise OrchError((diagnosis_fault(answer),))
    elif now:
        raise OrchError((_not_now(diagnosis_fault(answer)),))


def refuse_too_large(needs: CpuDemand, rooms: Sequence[NodeRoom]) -> None:
    """Refuse a command for which no node is large enough.

    Raises:
        OrchError: E203; never where no node is known yet.
    """
    if not rooms or any(
        room.cores >= needs.cpus and room.memory_bytes >= needs.memory_bytes
        for room in rooms
    ):
        return
    largest = max(rooms, key=lambda room: (room.cores, room.memory_bytes))
    has = node_need(largest.cores, largest.memory_bytes)
    fault = Fault(
        Code.BAD_VALUE,
        f"no node has {node_need(needs.cpus, needs.memory_bytes)}",
        facts=(f"the largest, '{largest.name}', has {has}",),
        fix="lower resources.cpus or resources.memory",
        exits=EXIT_NEVER,
    )
    raise OrchError((fault,))


def awaited(job: Job) -> list[int]:
    """The jobs that this one comes after.

    Raises:
        OrchError: E203, one of them has a name instead of a number.
    """
    for one in job.after:
        if isinstance(one.job, str):
            raise OrchError.of(
                Code.BAD_VALUE,
                f"after: '{one.job}' is no job of this submit",
                fix="give the id of a job, or submit both in one go",
            )
    return [int(one.job) for one in job.after]


def no_such_job(number: int) -> OrchError:
    """E301: what it comes after is not there."""
    return OrchError.of(
        Code.NO_SUCH_JOB, f"after: there is no job {number}", fix="orch status -a"
    )


def no_plan() -> OrchError:
    """E203: what is asked for is not a matter of GPUs."""
    return OrchError.of(
        Code.BAD_VALUE,
        "a command has no plan: it runs on the first node with free cores",
        fix="orch submit it",
    )


def must_wait(why: str) -> OrchError:
    """E304: it would not start at once, and it was to."""
    fault = Fault(
        Code.WRONG_STATE,
        f"the job cannot start now: {why}",
        fix="leave --wait-start out: it starts by itself",
    )
    return OrchError((_not_now(fault),))


def output_in_use(output: str, other: JobKey) -> OrchError:
    """E304: two jobs would write to one folder."""
    return OrchError.of(
        Code.WRONG_STATE,
        f"job {other} is writing to '{output}', or waits to",
        fix=f"wait for it (orch wait {other}), or choose another output.path",
    )


def _not_now(fault: Fault) -> Fault:
    return replace(fault, exits=EXIT_NOT_NOW)


def _not_yet(answer: Plan | Diagnosis) -> Fault:
    """E101: the model would have to be cut."""
    return Fault(
        Code.NOT_ENOUGH_GPU_MEMORY,
        f"the job cannot run yet: {NOT_YET}",
        facts=(
            demand_line(answer.demand),
            f"the plan: {answer.reason}"
            if isinstance(answer, Plan)
            else answer.summary,
        ),
        fix="; or ".join(ways_to_run_whole(answer.demand)),
    )


def _refuse_fakes(plan: Plan) -> None:
    fakes = [p.gpu.name for p in plan.placements if p.gpu.uuid.startswith("fake-")]
    if fakes:
        raise OrchError.of(
            Code.GPU_FAILED_TO_INITIALISE,
            f"{', '.join(fakes)}: these GPUs are only described by ORCH_FAKE_GPUS",
            fix="`orch plan` works with them; to run, `orch down`, unset it, submit",
        )
