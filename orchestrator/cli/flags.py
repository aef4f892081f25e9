"""The options of `submit` that change the job: each is a `--set` in other words."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

_PATHS = {
    "name": "name",
    "output": "output.path",
    "priority": "priority",
    "gpus": "resources.gpus",
    "gpu_memory": "resources.gpu_memory",
    "run_timeout": "timeout.run",
}
"""Options whose value is that of one field."""
_TEXTS = ("name", "output")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ARRAY = re.compile(r"([^%]+?)(?:%([0-9]+))?")


def job_flags(command: F) -> F:
    """Give a command the options that change the job."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def overrides(given: dict[str, Any]) -> tuple[str, ...]:
    """All options as `path=value`; later ones win, and plain `--set` comes first.

    Args:
        given: The options of `job_flags` by name; they are taken out of it.

    Raises:
        click.UsageError: One is not written as it must be.
    """
    settings: list[str] = list(given.pop("settings"))
    for option, path in _PATHS.items():
        value = given.pop(option)
        if value is not None:
            settings.append(
                f"{path}={json.dumps(value) if option in _TEXTS else value}"
            )
    settings += _after(given.pop("after"))
    settings += _array(given.pop("array"))
    settings += [_variable(text) for text in given.pop("env")]
    return tuple(settings)


def _after(jobs: tuple[str, ...]) -> list[str]:
    return [f"after={json.dumps(jobs)}"] if jobs else []


def _array(text: str | None) -> list[str]:
    if text is None:
        return []
    match = _ARRAY.fullmatch(text)
    if match is None:
        raise click.UsageError(f"--array: '{text}'; write it like 0-31 or 0-31%4")
    array: dict[str, object] = {"range": match[1]}
    if match[2]:
        array["max_parallel"] = int(match[2])
    return [f"array={json.dumps(array)}"]


def _variable(text: str) -> str:
    name, equals, value = text.partition("=")
    if not _NAME.fullmatch(name):
        raise click.UsageError(f"--env: '{text}'; write it like NAME=VALUE, or NAME")
    return f"env.{name}={json.dumps(value) if equals else 'null'}"


_OPTIONS = (
    click.option(
        "--set",
        "settings",
        multiple=True,
        metavar="PATH=VALUE",
        help="Change one field of the job file; may be repeated.",
    ),
    click.option("-n", "--name", help="The job's name."),
    click.option("-o", "--output", metavar="DIR", help="Where the results go."),
    click.option("--gpus", metavar="N", help="How many GPUs: 2, 1..4, all, auto."),
    click.option("--gpu-memory", metavar="SIZE", help="On each GPU, such as 20GiB."),
    click.option("--priority", type=int, metavar="N", help="-100 to 100."),
    click.option(
        "--after",
        multiple=True,
        metavar="ID[:WHEN]",
        help="Start once that job has ended ok (or: any, fail); may be repeated.",
    ),
    click.option("--array", metavar="RANGE[%N]", help="Many tasks: 0-31, N at a time."),
    click.option(
        "--timeout", "run_timeout", metavar="TIME", help="It may run so long: 2h."
    ),
    click.option(
        "--env",
        multiple=True,
        metavar="NAME[=VALUE]",
        help="A variable; without a value: as it is here. May be repeated.",
    ),
)
