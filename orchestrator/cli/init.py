"""`orch init`: a job file to begin with."""

from __future__ import annotations

from pathlib import Path

import click

from orchestrator.cli.session import Session, with_session
from orchestrator.cli.templates import SCHEMA_FILE, TEMPLATES
from orchestrator.errors import Code, OrchError


@click.command(
    "init",
    epilog="""\b
Examples:
  orch init
  orch init command -o train.yaml
  orch init array --force""",
)
@click.argument("kind", type=click.Choice(list(TEMPLATES)), default="batch")
@click.option(
    "-o",
    "--output",
    type=click.Path(),
    metavar="FILE",
    default="job.yaml",
    show_default=True,
    help="Where to write it.",
)
@click.option("--force", is_flag=True, help="Replace a file that is there already.")
@with_session
def command(session: Session, /, *, kind: str, output: str, force: bool) -> int:
    """Write a job file to begin with, with a comment on every field."""
    text = TEMPLATES[kind].replace(" job.yaml", f" {output}")
    _write(Path(output), text, force=force)
    if session.as_json:
        session.answer("init", {"path": output, "kind": kind})
        return 0
    session.write(output)
    session.talk.say(f"  orch validate {output}", "dim")
    session.talk.say(f"  orch schema > {SCHEMA_FILE}    for your editor", "dim")
    session.talk.say(f"  orch submit {output}", "dim")
    return 0


def _write(path: Path, text: str, *, force: bool) -> None:
    try:
        with path.open("w" if force else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise OrchError.of(
            Code.WRONG_STATE,
            f"'{path}' is there already",
            fix="--force replaces it; -o FILE writes another",
        ) from None
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        raise OrchError.of(
            Code.WRONG_STATE, f"'{path}' cannot be written: {reason}"
        ) from None
