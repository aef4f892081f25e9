"""cluster.yaml: a valid Ray cluster file; ours stands under `metadata: {orch: ...}`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from orchestrator.errors import Code, OrchError
from orchestrator.runtime.head import LOOPBACK

_ORCH_KEYS = ("port", "python", "folder")
_FOLDER = "~/.local/state/orch"


@dataclass(frozen=True, slots=True)
class ClusterFile:
    """The machines of a cluster.

    Attributes:
        head_ip: Address at which the workers reach this machine.
        workers: Addresses of the others, reached over SSH.
        ssh_user: Login there; empty: the same as here.
        ssh_key: Private key file; empty: what ssh takes by itself.
        port: Of Ray on the head; 0: 6379, or a free one if that is taken.
        python: The Python on the workers that has orch installed.
        folder: Where orch keeps its token and logs on the workers.
    """

    head_ip: str = LOOPBACK
    workers: tuple[str, ...] = ()
    ssh_user: str = ""
    ssh_key: str = ""
    port: int = 0
    python: str = "python3"
    folder: str = _FOLDER


def read_cluster_file(path: Path) -> ClusterFile:
    """Read a cluster file of Ray's `local` provider.

    Raises:
        OrchError: E203, E204 or E205, what is wrong with it.
    """
    try:
        data = yaml.safe_load(path.read_text("utf-8"))
    except OSError as error:
        raise OrchError.of(
            Code.FILE_NOT_FOUND, f"'{path}' cannot be read: {error.strerror}"
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise OrchError.of(
            Code.UNREADABLE_YAML,
            f"'{path}' is not YAML",
            facts=tuple(str(error).splitlines()),
        ) from error
    try:
        return _parsed(data)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise OrchError.of(
            Code.BAD_VALUE,
            f"'{path}' is not a cluster file of Ray's local provider: {error}",
            fix="compare it with the cluster.yaml that comes with orch",
        ) from error


def _parsed(data: dict[str, Any]) -> ClusterFile:
    provider = data["provider"]
    if provider["type"] != "local":
        raise ValueError(f"provider.type is {provider['type']}, expected local")
    auth = data.get("auth") or {}
    ours = (data.get("metadata") or {}).get("orch") or {}
    workers = provider.get("worker_ips") or []
    if not isinstance(workers, list):
        raise ValueError("provider.worker_ips is not a list")
    port = int(ours.get("port", 0))
    if not 0 <= port < 65536:
        raise ValueError(f"metadata.orch.port is {port}, expected 0 to 65535")
    unknown = sorted(set(ours) - set(_ORCH_KEYS))
    if unknown:
        raise ValueError(f"metadata.orch has no field {unknown[0]}")
    return ClusterFile(
        head_ip=str(provider["head_ip"]),
        workers=tuple(str(ip) for ip in workers),
        ssh_user=str(auth.get("ssh_user", "")),
        ssh_key=str(auth.get("ssh_private_key", "")),
        port=port,
        python=str(ours.get("python", "python3")),
        folder=str(ours.get("folder", _FOLDER)),
    )
