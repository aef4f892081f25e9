"""Ray's errors become ours here, with what a person can do about them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ray.exceptions import GetTimeoutError, RayActorError, RayError, RayTaskError

from orchestrator.errors import Code, OrchError


@contextmanager
def translated(code: Code, what: str) -> Iterator[None]:
    """Turn an error of Ray's into an OrchError; ours pass through from any process."""
    try:
        yield
    except RayTaskError as error:
        cause = error.cause
        if isinstance(cause, OrchError):
            raise OrchError(cause.faults) from None
        raise OrchError.of(
            Code.BUG, f"{what}: {type(cause).__name__}: {cause}"
        ) from error
    except GetTimeoutError as error:
        raise OrchError.of(code, f"{what}: no answer in time") from error
    except RayActorError as error:
        raise OrchError.of(code, f"{what}: its process ended") from error
    except RayError as error:
        raise OrchError.of(code, f"{what}: {type(error).__name__}") from error
