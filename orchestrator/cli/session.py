"""What every command has: how to talk, where the state is, and two options."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import Concatenate, ParamSpec

import click

from orchestrator.client.address import state_dir
from orchestrator.render.envelope import envelope
from orchestrator.render.talk import Talk

P = ParamSpec("P")


@dataclass(frozen=True, slots=True)
class Session:
    """One run of the command line.

    Attributes:
        talk: What goes to people, on stderr.
        as_json: stdout gets one JSON document and nothing else.
        quiet: Ids and paths only.
        folder: The state folder.
    """

    talk: Talk
    as_json: bool
    quiet: bool
    folder: Path

    def answer(self, command: str, data: object) -> None:
        """The JSON document of a command."""
        self.write(envelope(command, data))

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


def with_session(
    command: Callable[Concatenate[Session, P], int],
) -> Callable[P, int]:
    """Give a command `--json` and `-q`, and a session in their place."""

    @click.option("--json", "as_json", is_flag=True, help="One JSON document.")
    @click.option("-q", "--quiet", is_flag=True, help="Ids and paths only.")
    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> int:
        as_json, quiet = bool(kwargs.pop("as_json")), bool(kwargs.pop("quiet"))
        talk = Talk(quiet=quiet or as_json)
        session = Session(talk, as_json, quiet, state_dir())
        return command(session, *args, **kwargs)

    return run
