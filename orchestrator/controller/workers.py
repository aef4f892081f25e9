"""The other machines of a cluster: Ray started there over SSH, and stopped again.

Ray's own launcher never starts local workers by default (2.60), and its start commands
end every other Ray on the host; so this is done here, by pid.
"""

from __future__ import annotations

import json
import shlex
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

from orchestrator.controller.clusterfile import ClusterFile
from orchestrator.controller.programs import say
from orchestrator.errors import Code, OrchError
from orchestrator.runtime.head import TOKEN_FILE, Head, make_token

SSH_TIMEOUT_S = 120


def start_workers(cluster: ClusterFile, head: Head, state: Path) -> None:
    """Start Ray on every worker of the file, side by side.

    Raises:
        OrchError: E501, a worker could not be started; the others are.
    """
    if not cluster.workers:
        return
    (state / "workers.json").write_text(json.dumps(asdict(cluster)))
    token = make_token(state / TOKEN_FILE)
    arguments = ["--address", head.address, "--folder", cluster.folder]

    def start(ip: str) -> None:
        say(f"starting Ray on {ip} ...")
        node = [*arguments, "--node-ip", ip]
        _remote(cluster, ip, "orchestrator.runtime.worker_start", node, token)

    with ThreadPoolExecutor(len(cluster.workers)) as pool:
        list(pool.map(start, cluster.workers))


def stop_workers(state: Path) -> None:
    """Stop Ray on the workers that were started; one that is away is left alone."""
    try:
        data = json.loads((state / "workers.json").read_text())
    except (OSError, ValueError):
        return
    cluster = ClusterFile(**{**data, "workers": tuple(data["workers"])})
    for ip in cluster.workers:
        arguments = ["--folder", cluster.folder]
        try:
            _remote(cluster, ip, "orchestrator.runtime.worker_stop", arguments, "")
        except OrchError as error:
            say(str(error))
    (state / "workers.json").unlink()


def _remote(
    cluster: ClusterFile, ip: str, module: str, arguments: list[str], stdin: str
) -> None:
    """Run one of our programs on a worker; the secret travels on its stdin."""
    there = shlex.join([cluster.python, "-m", module])
    # The folder may start with ~, which the remote shell must see unquoted.
    there += "".join(
        f" {a if a.startswith('~') else shlex.quote(a)}" for a in arguments
    )
    key = ["-i", cluster.ssh_key] if cluster.ssh_key else []
    login = f"{cluster.ssh_user}@{ip}" if cluster.ssh_user else ip
    command = ["ssh", "-o", "BatchMode=yes", *key, login, there]
    try:
        done = subprocess.run(
            command,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=SSH_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _failed(ip, (str(error),)) from error
    if done.returncode != 0:
        raise _failed(ip, tuple((done.stderr or done.stdout).splitlines()[-8:]))


def _failed(ip: str, facts: tuple[str, ...]) -> OrchError:
    return OrchError.of(
        Code.NODE_LOST,
        f"Ray could not be started or stopped on {ip} over SSH",
        facts=facts,
        fix=f"try `ssh {ip}` by hand; orch must be installed there too",
    )
