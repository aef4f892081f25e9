"""`orch version`."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

import click

from orchestrator.cli.session import Session, with_session
from orchestrator.render.table import pairs

_STANDS_ON = ("ray", "torch", "transformers")


def orch_version() -> str:
    """The installed version; `source` when run from a checkout."""
    return _version("orch") or "source"


@click.command(
    "version",
    epilog="""\b
Examples:
  orch version
  orch version --json""",
)
@with_session
def command(session: Session) -> int:
    """Print the versions of orch and what it stands on."""
    versions = {
        "orch": orch_version(),
        "python": platform.python_version(),
        **{name: _version(name) for name in _STANDS_ON},
    }
    if session.as_json:
        session.answer("version", versions)
    elif session.quiet:
        session.write(orch_version())
    else:
        session.write_all(
            pairs([(name, text or "not installed") for name, text in versions.items()])
        )
    return 0


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None
