"""The `orch` command. Commands are imported when they run, so that help is quick."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from importlib import import_module
from typing import TYPE_CHECKING

import click

from orchestrator.cli.edge import guarded
from orchestrator.cli.globals import moved_behind

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

SECTIONS: dict[str, dict[str, str]] = {
    "Jobs": {
        "submit": "Run a job file, and follow it to its results.",
        "plan": "Say what would happen to a job file, and why.",
        "status": "List jobs, or show one in detail.",
        "explain": "Say why a job waits, runs where it runs, or failed.",
        "logs": "Print a job's logs, or follow them.",
        "wait": "Block until a job is done; exit code = outcome.",
        "results": "Show where a job's results are, or print them.",
        "cancel": "Stop a job; finished rows are kept.",
        "retry": "Run a job once more; finished rows are kept.",
        "history": "Say who used how many GPU-hours.",
    },
    "Cluster": {
        "gpus": "Show every GPU: memory, promises, who holds it.",
        "up": "Start Ray and the controller.",
        "down": "Stop the controller and the Ray it started.",
    },
    "Job files": {
        "init": "Write a job file to begin with.",
        "validate": "Check job files, and tell all mistakes at once.",
        "schema": "Print the JSON Schema of the job file, for editors.",
    },
    "Other": {
        "simulate": "Put a recorded cluster to the planner; count what stays free.",
        "completion": "Print the script that makes a shell complete orch.",
        "version": "Print the versions of orch and what it stands on.",
    },
}
_HELP = {name: line for section in SECTIONS.values() for name, line in section.items()}
_NAME_CELLS = 10


class LazyGroup(click.Group):
    """A group whose commands live in `orchestrator.cli.NAME`, as `command`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order of the help."""
        del ctx
        return list(_HELP)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command, if there is one of that name."""
        del ctx
        if cmd_name not in _HELP:
            return None
        module = import_module(f"orchestrator.cli.{cmd_name}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that `args` begin with.

        Raises:
            click.UsageError: There is none; the nearest names are given.
        """
        near = get_close_matches(args[0], _HELP, n=2)
        # Resilient: a shell asks what could stand here.
        known = args[0] in _HELP or args[0].startswith("-")
        if known or ctx.resilient_parsing:
            return super().resolve_command(ctx, args)
        hint = f" Did you mean {' or '.join(near)}?" if near else ""
        raise click.UsageError(f"No such command '{args[0]}'.{hint}", ctx)

    def shell_complete(
        self, ctx: click.Context, incomplete: str
    ) -> list[CompletionItem]:
        """The commands and options that begin so; none of them is imported."""
        from click.shell_completion import CompletionItem

        return [
            *(
                CompletionItem(name, help=line)
                for name, line in _HELP.items()
                if name.startswith(incomplete)
            ),
            *click.Command.shell_complete(self, ctx, incomplete),
        ]

    def format_commands(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        """The commands by section; none of them is imported."""
        del ctx
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl(
                    [(name.ljust(_NAME_CELLS), line) for name, line in commands.items()]
                )


def _show_version(ctx: click.Context, _parameter: click.Parameter, asked: bool) -> None:  # noqa: FBT001
    if asked:
        from orchestrator.cli.version import orch_version

        click.echo(f"orch {orch_version()}")
        ctx.exit()


@click.group(
    cls=LazyGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="""\b
Examples:
  orch submit jobs/embed.yaml     run a job on every GPU there is
  orch plan jobs/embed.yaml       only say where it would run
  orch gpus                       what the GPUs are doing

`orch COMMAND -h` explains a command. A job is named by its id, by the beginning
of its name, by `last` (or @), or @~1 for the one before; 42.3 is a task of an array,
42#2 a second attempt. --json, -q, -v, --color and --no-color go with every command.""",
)
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_show_version,
    help="Print the version and exit.",
)
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Run models on every GPU you have: placed by free memory, results in order."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def run(args: Sequence[str]) -> int:
    """Run one command line; its exit code. Every error ends here."""
    moved = moved_behind(args)
    return guarded(moved, lambda: _invoke(moved))


def _invoke(args: Sequence[str]) -> int:
    with cli.make_context("orch", list(args)) as ctx:
        return int(cli.invoke(ctx) or 0)


def main() -> None:
    """The console script; also what a shell calls to complete a command line."""
    if asked := os.environ.get("_ORCH_COMPLETE"):
        from click.shell_completion import shell_complete

        sys.exit(shell_complete(cli, {}, "orch", "_ORCH_COMPLETE", asked))
    # It lives for a moment: collecting garbage is a sixth of its imports' time.
    gc.set_threshold(100_000, 50, 50)
    sys.exit(run(sys.argv[1:]))
