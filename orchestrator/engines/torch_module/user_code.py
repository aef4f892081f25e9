"""Imports the user's module on any node, and shows their traceback, not ours."""

from __future__ import annotations

import importlib
import sys
import tempfile
import traceback
from collections.abc import Mapping
from pathlib import Path

import torch

from orchestrator.engines.base import EngineSpec
from orchestrator.engines.cuda import is_out_of_memory
from orchestrator.errors import Code, OrchError

_MOST_LINES = 30


class UserCode:
    """The Python files beside the job file, in a folder of this process."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        """Write the files; the folder goes with this object."""
        self._folder = tempfile.TemporaryDirectory(prefix="orch-code-")
        self._root = Path(self._folder.name).resolve()
        for name, content in files.items():
            file = self._root / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)

    def build(self, spec: EngineSpec) -> torch.nn.Module:
        """Import the entry and make the module with the job file's args.

        Raises:
            OrchError: E103, it cannot be imported or made, with the user's traceback.
        """
        module_name, _, class_name = (spec.model.entry or "").partition(":")
        sys.path.insert(0, str(self._root))
        try:
            found = getattr(importlib.import_module(module_name), class_name, None)
            if not isinstance(found, type) or not issubclass(found, torch.nn.Module):
                raise self._no_module(spec, class_name, found)
            made: torch.nn.Module = found(**spec.model.args)
        except OrchError:
            raise
        except Exception as error:
            if is_out_of_memory(error):
                raise
            raise OrchError.of(
                Code.MODEL_FAILED_TO_LOAD,
                f"Making {spec.model.entry} raised {_summary(error)}",
                facts=self.traceback_of(error),
                fix="Mend the module, then submit again.",
            ) from error
        return made

    def raised(self, where: str, error: BaseException) -> OrchError:
        """E401 for an error of the user's code at work, with their traceback."""
        return OrchError.of(
            Code.USER_CODE_RAISED,
            f"{where} raised {_summary(error)}",
            facts=self.traceback_of(error),
        )

    def traceback_of(self, error: BaseException) -> tuple[str, ...]:
        """The traceback from the user's first frame on, with paths as they know them.

        Empty if none of their code was running.
        """
        root = f"{self._root}/"
        frames = traceback.extract_tb(error.__traceback__)
        theirs = [
            i for i, frame in enumerate(frames) if frame.filename.startswith(root)
        ]
        written = isinstance(error, SyntaxError)
        if not theirs and not written:
            return ()
        shown = traceback.format_list(frames[theirs[0] :]) if theirs else []
        shown += traceback.format_exception_only(error)
        lines = "".join(shown).replace(root, "").splitlines()
        return tuple(lines[-_MOST_LINES:])

    def _no_module(self, spec: EngineSpec, class_name: str, found: object) -> OrchError:
        what = "is no torch.nn.Module" if found is not None else "is not in that file"
        return OrchError.of(
            Code.MODEL_FAILED_TO_LOAD,
            f"'{class_name}' of entry '{spec.model.entry}' {what}.",
            fix="Write model.entry as module:Class, the module beside the job file.",
        )


def _summary(error: BaseException) -> str:
    first = (str(error).strip().splitlines() or [""])[0]
    return f"{type(error).__name__}: {first}" if first else type(error).__name__
