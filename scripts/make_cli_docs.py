"""Writes docs/cli.md: `--help` of every command. tests/docs holds it up to date.

python scripts/make_cli_docs.py
"""

from __future__ import annotations

from pathlib import Path

import click

from orchestrator.cli.main import SECTIONS, cli

PATH = Path(__file__).parents[1] / "docs" / "cli.md"
WIDTH = 88

INTRODUCTION = """\
# Commands

Made by `python scripts/make_cli_docs.py` from `--help`. Data goes to stdout, talk to
stderr; `--json` prints one JSON document and nothing else. The exit codes are listed in
[errors.md](errors.md).

Each document is `{"schema": "orch.COMMAND/v1", "data": ...}`, or
`{"schema": "orch.error/v1", "error": ...}`; its JSON Schema is in the package, in
[orchestrator/render/schemas](../orchestrator/render/schemas). `orch status -w --json`
and `orch logs -f --json` print one document a line. Keys may be added, never changed.
"""


def main() -> None:
    """Write the page."""
    PATH.write_text(page(), "utf-8")


def page() -> str:
    """The page's text."""
    parts = [INTRODUCTION, _section("orch", [])]
    for commands in SECTIONS.values():
        parts += [_section(f"orch {name}", [name]) for name in commands]
    return "\n".join(parts)


def _section(title: str, path: list[str]) -> str:
    return f"## {title}\n\n```console\n$ {title} --help\n{_help(path)}\n```\n"


def _help(path: list[str]) -> str:
    context = click.Context(cli, info_name="orch", terminal_width=WIDTH)
    context.help_option_names = ["-h", "--help"]
    command: click.Command = cli
    for name in path:
        found = cli.get_command(context, name)
        assert found is not None
        command = found
        context = click.Context(found, parent=context, info_name=name)
    lines = command.get_help(context).splitlines()
    return "\n".join(line.rstrip() for line in lines)


if __name__ == "__main__":
    main()
