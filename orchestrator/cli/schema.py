"""`orch schema`: the job file as JSON Schema."""

from __future__ import annotations

import json

import click

from orchestrator.cli.session import Session, with_session
from orchestrator.spec.kinds import KINDS


@click.command(
    "schema",
    epilog="""\b
Examples:
  orch schema > orch.job.v1.schema.json
  orch schema command | jq .properties.run

\b
An editor with the YAML language server then checks a job file that begins with
  # yaml-language-server: $schema=./orch.job.v1.schema.json""",
)
@click.argument("kind", type=click.Choice(KINDS), required=False)
@with_session
def command(session: Session, /, *, kind: str | None) -> int:
    """Print the JSON Schema of the job file, of one kind or of all."""
    from orchestrator.spec.schema import job_schema

    schema = job_schema(kind)
    if session.as_json:
        session.answer("schema", schema)
    else:
        session.write(json.dumps(schema, indent=2, ensure_ascii=False))
    return 0
