"""`orch completion`: what makes a shell complete `orch`."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from orchestrator.cli.session import Session, with_session

VARIABLE = "_ORCH_COMPLETE"
"""Set by the script when the shell asks; the script's own name for it."""

_USE = {
    "bash": "echo 'eval \"$(orch completion bash)\"' >> ~/.bashrc",
    "zsh": "echo 'eval \"$(orch completion zsh)\"' >> ~/.zshrc",
    "fish": "orch completion fish > ~/.config/fish/completions/orch.fish",
}


@click.command(
    "completion",
    epilog="""\b
Examples:
  eval "$(orch completion bash)"
  orch completion fish > ~/.config/fish/completions/orch.fish""",
)
@click.argument("shell", type=click.Choice(list(_USE)))
@with_session
def command(session: Session, /, *, shell: str) -> int:
    """Print the script that makes a shell complete orch's commands and options."""
    script = script_of(shell)
    if session.as_json:
        session.answer("completion", {"shell": shell, "script": script})
        return 0
    session.write(script.strip())
    session.talk.say(f"to have it in every {shell}:  {_USE[shell]}", "dim")
    return 0


def script_of(shell: str) -> str:
    """The script of a shell that Click knows."""
    from orchestrator.cli.main import cli

    found = get_completion_class(shell)
    assert found is not None
    # Not `source()`: it also runs the shell that happens to be here.
    completion = found(cli, {}, "orch", VARIABLE)
    return completion.source_template % completion.source_vars()
