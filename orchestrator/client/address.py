"""Where the state lives, and where it says that the controller is."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from orchestrator.errors import Code, OrchError

START = "orch up"
"""The command that brings a controller back."""


@dataclass(frozen=True, slots=True)
class Address:
    """A controller that has been started; it need not be there any more."""

    url: str
    pid: int
    token: str


def state_dir() -> Path:
    """`$ORCH_STATE_DIR`, else the user's state folder as XDG has it."""
    chosen = os.environ.get("ORCH_STATE_DIR")
    return Path(chosen).absolute() if chosen else platformdirs.user_state_path("orch")


def read_address(folder: Path) -> Address:
    """The controller that the state folder names.

    Raises:
        OrchError: E302, there is none; E303, its token may not be read.
    """
    try:
        written = json.loads((folder / "controller.json").read_text("utf-8"))
        token = (folder / "token").read_text("utf-8").strip()
        return Address(url=written["url"], pid=written["pid"], token=token)
    except FileNotFoundError as error:
        raise not_running(folder) from error
    except PermissionError as error:
        raise OrchError.of(
            Code.NOT_ALLOWED,
            f"{error.filename} belongs to another user",
            fix="set ORCH_STATE_DIR to a folder of your own",
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise unreachable(str(folder / "controller.json"), "is damaged") from error


def ray_runs(folder: Path) -> bool:
    """Whether the Ray that was started from this state folder is alive."""
    try:
        os.kill(json.loads((folder / "head.json").read_text("utf-8"))["pid"], 0)
    except PermissionError:
        return True
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return True


def not_running(folder: Path) -> OrchError:
    """E302 for a state folder without a controller."""
    return OrchError.of(
        Code.CONTROLLER_UNREACHABLE,
        "no controller is running",
        facts=(f"looked in {folder}",),
        fix=START,
    )


def unreachable(where: str, why: str) -> OrchError:
    """E302 for a controller that should be there and is not."""
    return OrchError.of(
        Code.CONTROLLER_UNREACHABLE, f"the controller at {where} {why}", fix=START
    )
