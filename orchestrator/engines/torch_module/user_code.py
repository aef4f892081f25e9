"""Imports the user's module on any node, and shows their traceback, not ours."""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType

import torch

from orchestrator.engines.base import EngineSpec
from orchestrator.engines.cuda import is_out_of_memory
from orchestrator.errors import Code, OrchError

_MOST_LINES = 30


class UserCode(importlib.abc.MetaPathFinder):
    """The Python files beside the job file, importable without being on this disk.

    They keep the paths they have beside the job file, so that `__file__` and
    tracebacks say what the user knows.
    """

    def __init__(self, files: Mapping[str, bytes], folder: str) -> None:
        """Take the files by their path relative to `folder`."""
        self._root = Path(folder).resolve()
        self._files = {str(self._root / name): data for name, data in files.items()}

    def build(self, spec: EngineSpec) -> torch.nn.Module:
        """Import the entry and make the module with the job file's args.

        Raises:
            OrchError: E103, it cannot be imported or made, with the user's traceback.
        """
        module_name, _, class_name = (spec.model.entry or "").partition(":")
        sys.meta_path.insert(0, self)
        try:
            found = getattr(importlib.import_module(module_name), class_name, None)
            if not isinstance(found, type) or not issubclass(found, torch.nn.Module):
                raise _no_module(spec, class_name, found)
            made: torch.nn.Module = found(**spec.model.args)
        except OrchError:
            raise
        except (SystemExit, Exception) as error:
            if is_out_of_memory(error):
                raise
            raise OrchError.of(
                Code.MODEL_FAILED_TO_LOAD,
                f"Making {spec.model.entry} raised {_summary(error)}",
                facts=self.traceback_of(error),
                fix="Mend the module, then submit again.",
            ) from error
        return made

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,  # noqa: ARG002 - the import system's signature
        target: ModuleType | None = None,  # noqa: ARG002
        /,
    ) -> importlib.machinery.ModuleSpec | None:
        """Where a module of these files is; part of the import system."""
        base = self._root.joinpath(*fullname.split("."))
        for file, inside in (
            (f"{base}/__init__.py", [str(base)]),
            (f"{base}.py", None),
        ):
            if file in self._files:
                return importlib.util.spec_from_file_location(
                    fullname,
                    file,
                    loader=_Loader(fullname, file, self._files[file]),
                    submodule_search_locations=inside,
                )
        if any(file.startswith(f"{base}/") for file in self._files):
            folder = importlib.machinery.ModuleSpec(fullname, None, is_package=True)
            folder.submodule_search_locations = [str(base)]
            return folder
        return None

    def raised(self, where: str, error: BaseException) -> OrchError:
        """E401 for an error of the user's code at work, with their traceback."""
        frames = self._frames(error)
        theirs = [frame for frame in frames if frame.filename in self._files]
        place = "".join(
            f" ({Path(frame.filename).name}:{frame.lineno})" for frame in theirs[-1:]
        )
        return OrchError.of(
            Code.USER_CODE_RAISED,
            f"{where} raised {_summary(error)}{place}",
            facts=self.traceback_of(error),
        )

    def traceback_of(self, error: BaseException) -> tuple[str, ...]:
        """The traceback from the user's first frame on, paths relative to theirs.

        Empty if none of their code was running.
        """
        frames = self._frames(error)
        if not frames and not isinstance(error, SyntaxError):
            return ()
        shown = traceback.format_list(frames) + traceback.format_exception_only(error)
        lines = "".join(shown).replace(f"{self._root}/", "").splitlines()
        return tuple(lines[-_MOST_LINES:])

    def _frames(self, error: BaseException) -> list[traceback.FrameSummary]:
        frames = traceback.extract_tb(error.__traceback__)
        theirs = [i for i, frame in enumerate(frames) if frame.filename in self._files]
        return frames[theirs[0] :] if theirs else []


class _Loader(importlib.abc.SourceLoader):
    """One file's source from memory."""

    def __init__(self, name: str, file: str, data: bytes) -> None:
        self._name, self._file, self._data = name, file, data

    def get_filename(self, fullname: str) -> str:
        """Where it stands beside the job file."""
        if fullname != self._name:
            raise ImportError(fullname)
        return self._file

    def get_data(self, path: str | bytes) -> bytes:
        """Its source; there is no compiled file."""
        if path != self._file:
            raise OSError(path)
        return self._data


def _no_module(spec: EngineSpec, class_name: str, found: object) -> OrchError:
    what = "is no torch.nn.Module" if found is not None else "is not in that file"
    return OrchError.of(
        Code.MODEL_FAILED_TO_LOAD,
        f"'{class_name}' of entry '{spec.model.entry}' {what}.",
        fix="Write model.entry as module:Class, the module beside the job file.",
    )


def _summary(error: BaseException) -> str:
    first = (str(error).strip().splitlines() or [""])[0]
    return f"{type(error).__name__}: {first}" if first else type(error).__name__
