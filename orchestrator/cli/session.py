"""What every command has: how to talk, where the state is, and the global options."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import click

from orchestrator.client.address import state_dir
from orchestrator.render.envelope import envelope
from orchestrator.render.talk import Colour, Talk

P = ParamSpec("P")
F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Session:
    """One run of the command line.

    Attributes:
        talk: What goes to people, on stderr.
        as_json: stdout gets one JSON document and nothing else.
        quiet: Ids and paths only.
        verbose: Say more.
        folder: The state folder.
    """

    talk: Talk
    as_json: bool
    quiet: bool
    verbose: bool
    folder: Path

    def answer(self, command: str, data: object) -> None:
        """Write the JSON document of a command."""
        self.write(self.document(command, data))

    @staticmethod
    def document(command: str, data: object) -> str:
        """The JSON document of a command."""
        return envelope(command, data)

    def write(self, text: str) -> None:
        """A line of data on stdout."""
        click.echo(text)

    def write_all(self, lines: Iterable[str]) -> None:
        """Lines of data on stdout."""
        for line in lines:
            click.echo(line)

    def progress(self, line: str) -> None:
        """A line about what goes on in the background."""
        self.talk.say(line, "dim")


def now() -> datetime:
    """The present, in the zone of the user's clock."""
    return datetime.now(UTC).astimezone()


def global_options(command: F) -> F:
    """The options that stand before a command as well as after it."""
    options = (
        click.option("--json", "as_json", is_flag=True, help="One JSON document."),
        click.option("-q", "--quiet", is_flag=True, help="Ids and paths only."),
        click.option("-v", "--verbose", count=True, help="Say more."),
        click.option(
            "--color",
            "colour",
            type=click.Choice(["auto", "always", "never"]),
            default="auto",
            help="Colour on stderr.",
        ),
        click.option(
            "--no-color", "colour", flag_value="never", help="The same as never."
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def with_session(
    command: Callable[Concatenate[Session, P], int],
) -> Callable[P, int]:
    """Give a command the global options, and a session in their place."""

    @global_options
    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> int:
        given = {name: kwargs.pop(name) for name in _GLOBALS}
        return command(_session(**given), *args, **kwargs)  # type: ignore[arg-type]

    return run


_GLOBALS = ("as_json", "quiet", "verbose", "colour")


def _session(*, as_json: bool, quiet: bool, verbose: int, colour: Colour) -> Session:
    talk = Talk(
        quiet=quiet or as_json,
        colour=colour,
        # Nobody looks on where a CI system runs it, unless asked to say more.
        progress=bool(verbose) or not os.environ.get("CI"),
    )
    return Session(talk, as_json, quiet, bool(verbose), state_dir())
