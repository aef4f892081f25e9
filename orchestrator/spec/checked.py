"""A job that has been checked, as plain data: pydantic is not needed to hand it on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orchestrator.spec.loaded import LoadedJob


@dataclass(frozen=True, slots=True)
class CheckedJob:
    """A job and where it came from.

    Attributes:
        spec: The job file as JSON, with all overrides and defaults in it.
        text: The file's text, as it was read.
        path: The file, as the user named it; only a name if it came from a pipe.
        folder: Where its relative paths start.
    """

    spec: dict[str, Any]
    text: str
    path: Path
    folder: Path

    @property
    def name(self) -> str:
        """What people call it."""
        name: str = self.spec["name"]
        return name

    @property
    def kind(self) -> str:
        """`batch` or `command`."""
        kind: str = self.spec["kind"]
        return kind

    @property
    def output(self) -> str:
        """Where the results go, as the file has it."""
        path: str = self.spec["output"]["path"]
        return path

    @property
    def model(self) -> str:
        """What people call its model; empty if it has none."""
        model = self.spec.get("model", {})
        return model.get("id") or model.get("entry") or ""

    @property
    def run(self) -> str:
        """The command; empty if it is none."""
        run = self.spec.get("run", "")
        return run if isinstance(run, str) else " ".join(run)

    @property
    def workdir(self) -> Path:
        """The folder whose files travel with it: the job file's unless it says so."""
        return self.folder / Path(self.spec["workdir"] or "").expanduser()

    @property
    def has_code(self) -> bool:
        """Whether the Python files in its `workdir` hold its model."""
        return self.spec.get("model", {}).get("entry") is not None


def checked(loaded: LoadedJob) -> CheckedJob:
    """A job file that was read and found good, as plain data."""
    spec = loaded.job.model_dump(mode="json")
    return CheckedJob(spec, loaded.text, loaded.path, loaded.folder)
