"""Where every error ends: as text or JSON for the user, and as an exit code."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

import click

from orchestrator.errors import EXIT_INTERRUPTED, Code, Fault, OrchError

EXIT_BROKEN_PIPE = 141
"""128 + SIGPIPE, as other programs have it."""


def guarded(args: Sequence[str], command: Callable[[], int]) -> int:
    """Run a command; its exit code, or that of the error it ended with."""
    as_json = "--json" in args
    try:
        code = command()
        sys.stdout.flush()
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.ClickException as error:
        return _usage(error, as_json=as_json)
    except OrchError as error:
        return _refused(error.faults, as_json=as_json)
    except (KeyboardInterrupt, click.Abort):
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        return _hung_up()
    except Exception as error:  # noqa: BLE001  the edge: whatever is left is a bug
        return _refused((_bug(error),), as_json=as_json)
    return code


def _usage(error: click.ClickException, *, as_json: bool) -> int:
    if as_json:
        fault = Fault(Code.BAD_VALUE, error.format_message(), at="command line")
        return _refused((fault,), as_json=True)
    error.show()
    return error.exit_code


def _refused(faults: Sequence[Fault], *, as_json: bool) -> int:
    if as_json:
        from orchestrator.render.envelope import error_envelope

        click.echo(error_envelope(faults))
    else:
        from orchestrator.render.errors import show_faults
        from orchestrator.render.talk import Talk

        show_faults(Talk(), faults)
    return faults[0].exit_code


def _hung_up() -> int:
    # Python flushes stdout once more as it exits, and would complain then.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return EXIT_BROKEN_PIPE


def _bug(error: Exception) -> Fault:
    story = "".join(traceback.format_exception(error))
    if os.environ.get("ORCH_DEBUG") == "1":
        click.echo(story, err=True)
    return Fault(
        Code.BUG,
        f"orch met a mistake of its own: {type(error).__name__}: {error}",
        facts=(f"log: {_log(story)}",),
        fix="report it with the log; ORCH_DEBUG=1 shows the traceback",
    )


def _log(story: str) -> Path | str:
    from orchestrator.client.address import state_dir

    path = state_dir() / "logs" / "cli.log"
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with path.open("a", encoding="utf-8") as log:
            log.write(f"{' '.join(sys.argv)}\n{story}\n")
    except OSError as error:
        return f"cannot be written ({error.strerror})"
    return path
