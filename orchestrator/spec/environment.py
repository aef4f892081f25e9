"""The values of `env` and `secrets`, from the environment where a job is submitted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from orchestrator.errors import Code, Fault, OrchError
from orchestrator.spec.document import Loc
from orchestrator.spec.job import Job
from orchestrator.spec.loaded import LoadedJob
from orchestrator.spec.reread import fault_at


def resolve_env(
    job: Job, environ: Mapping[str, str], loaded: LoadedJob | None = None
) -> tuple[dict[str, str], dict[str, str]]:
    """A job's environment: what may be shown, and what may not.

    Args:
        job: The job.
        environ: The caller's environment.
        loaded: Where the job comes from, to point at it; `None`: faults have no place.

    Returns:
        The values of `env`, those of `secrets` left out, and the values of `secrets`.

    Raises:
        OrchError: E202 for every name that the caller's environment does not have,
            E203 for every value that is not UTF-8 text.
    """
    faults: list[Fault] = []
    for loc, name in _wanted(job):
        value = environ.get(name)
        if value is None:
            code = Code.MISSING_FIELD
            message = f"{loc[0]}: '{name}' has no value where you submit"
            fix = _fix(name, secret=name in job.secrets)
        elif not _is_text(value):
            code, fix = Code.BAD_VALUE, ""
            message = f"{loc[0]}: the value of '{name}' is not UTF-8 text"
        else:
            continue
        faults.append(_fault(loaded, loc, code, message, fix))
    if faults:
        raise OrchError(tuple(faults))
    env = {
        name: environ[name] if value is None else value
        for name, value in job.env.items()
        if name not in job.secrets
    }
    return env, {name: environ[name] for name in job.secrets}


def _wanted(job: Job) -> Iterator[tuple[Loc, str]]:
    """The names that the caller must have, each once, and where they stand."""
    for name, value in job.env.items():
        if value is None:
            yield ("env", name), name
    for position, name in enumerate(job.secrets):
        if name not in job.env and name not in job.secrets[:position]:
            yield ("secrets", position), name


def _fix(name: str, *, secret: bool) -> str:
    if secret:
        return f"export {name}=... first; its value is shown nowhere."
    return f"export {name}=... first, or give it a value in the job file."


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in value


def _fault(
    loaded: LoadedJob | None, loc: Loc, code: Code, message: str, fix: str
) -> Fault:
    if loaded is None:
        return Fault(code, message, fix=fix)
    return fault_at(loaded, loc, code, message, fix)
