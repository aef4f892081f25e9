"""The tasks of a job with an `array`: how many, and what each one is. Pure.

Tasks are counted from 0; a number of `array.range` is what `{index}` stands for.
"""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.spec.array_section import Array, Scalar, scalar_text
from orchestrator.spec.job import Job
from orchestrator.spec.placeholders import fill, fill_section


def task_count(job: Job) -> int:
    """How many tasks the job has; 0 for a job without an array, which has none."""
    return 0 if job.array is None else job.array.size


def matrix_values(job: Job, index: int) -> dict[str, Scalar]:
    """The values of `array.matrix` for a task; the last name changes fastest.

    Args:
        job: A job with an array.
        index: The task, from 0.

    Raises:
        IndexError: There is no such task.
    """
    values: dict[str, Scalar] = {}
    left = _checked(job, index)
    for name, choices in reversed((_array(job).matrix or {}).items()):
        left, position = divmod(left, len(choices))
        values[name] = choices[position]
    return dict(reversed(values.items()))


def task_values(job: Job, index: int) -> dict[str, str]:
    """What the placeholders stand for in a task: `index`, `matrix.NAME`.

    Raises:
        IndexError: There is no such task.
    """
    numbers = _array(job).range
    number = _checked(job, index) if numbers is None else numbers.numbers[index]
    matrix = matrix_values(job, index).items()
    return {
        "index": str(number),
        **{f"matrix.{name}": scalar_text(value) for name, value in matrix},
    }


def task_spec(job: Job, index: int) -> Job:
    """One task as a job of its own: no array, every placeholder replaced.

    Its results have a folder of their own: `/{index}` is added to an output path
    that does not have it.

    Raises:
        IndexError: There is no such task.
    """
    output = job.output.model_copy(update={"path": _output(job)})
    plain = job.model_copy(update={"array": None, "output": output})
    return fill_section(plain, task_values(job, index))


def task_output(job: Job, index: int) -> str:
    """The output path of `task_spec`, without the rest of it: arrays have many tasks.

    Raises:
        IndexError: There is no such task.
    """
    return fill(_output(job), task_values(job, index))


def task_env(job: Job, index: int, env: Mapping[str, str]) -> dict[str, str]:
    """A task's environment.

    Args:
        job: The job with the array.
        index: The task, from 0.
        env: The job's environment, as it was submitted. Only what stands in the
            job file has placeholders; what came from the caller stays as it is.

    Raises:
        IndexError: There is no such task.
    """
    values = task_values(job, index)
    written = {name for name, value in job.env.items() if value is not None}
    filled = {
        name: fill(value, values) if name in written else value
        for name, value in env.items()
    }
    matrix = matrix_values(job, index).items()
    return {
        **filled,
        "ORCH_ARRAY_INDEX": values["index"],
        "ORCH_ARRAY_SIZE": str(task_count(job)),
        **{f"ORCH_MATRIX_{name.upper()}": scalar_text(value) for name, value in matrix},
    }


def _output(job: Job) -> str:
    path = job.output.path
    return path if "{index}" in path else f"{path.rstrip('/')}/{{index}}"


def _array(job: Job) -> Array:
    if job.array is None:
        raise IndexError(f"job '{job.name}' has no tasks")
    return job.array


def _checked(job: Job, index: int) -> int:
    if not 0 <= index < _array(job).size:
        raise IndexError(f"job '{job.name}' has no task {index}")
    return index
