from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from orchestrator.controller.clusterfile import ClusterFile, read_cluster_file
from tests.docs.paths import ROOT, text_of

# In a process of its own: Ray's launcher warns, and reads the environment.
RAYS_OWN_CHECK = """
import sys, yaml
from ray.autoscaler._private.util import prepare_config, validate_config
for path in sys.argv[1:]:
    with open(path) as file:
        config = prepare_config(yaml.safe_load(file))
    validate_config(config)
    print(len(config["provider"]["worker_ips"]), config["metadata"]["orch"]["port"])
"""


def _two_boxes(folder: Path) -> Path:
    """cluster.yaml with every `#` taken away that stands directly before a word."""
    path = folder / "two.yaml"
    text = re.sub(r"^( *)#(?=\w)", r"\1", text_of("cluster.yaml"), flags=re.MULTILINE)
    path.write_text(text, "utf-8")
    return path


def test_ray_takes_it_with_and_without_its_comments(tmp_path: Path) -> None:
    files = [str(ROOT / "cluster.yaml"), str(_two_boxes(tmp_path))]
    said = subprocess.run(
        [sys.executable, "-c", RAYS_OWN_CHECK, *files],
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode == 0, said.stderr
    assert said.stdout.splitlines() == ["0 0", "1 0"]


def test_as_it_stands_it_is_the_same_as_none() -> None:
    assert read_cluster_file(ROOT / "cluster.yaml") == ClusterFile()


def test_without_its_comments_it_is_two_boxes(tmp_path: Path) -> None:
    assert read_cluster_file(_two_boxes(tmp_path)) == ClusterFile(
        head_ip="192.168.1.10",
        workers=("192.168.1.11",),
        ssh_user="me",
        ssh_key="~/.ssh/id_ed25519",
        port=0,
        python="/home/me/orch/.venv/bin/python",
        folder="~/.local/state/orch",
    )
