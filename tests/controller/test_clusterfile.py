from __future__ import annotations

import re
from pathlib import Path

import pytest

from orchestrator.controller.clusterfile import ClusterFile, read_cluster_file
from orchestrator.errors import Code, OrchError

FULL = """\
cluster_name: orch
provider:
  type: local
  head_ip: 10.0.0.1
  worker_ips: [10.0.0.2, 10.0.0.3]
auth:
  ssh_user: ann
  ssh_private_key: ~/.ssh/id_ed25519
metadata:
  orch:
    port: 6380
    python: /opt/orch/bin/python
    folder: /var/orch
"""

SMALL = "provider: {type: local, head_ip: 127.0.0.1}\n"


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "cluster.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_every_field_is_read(tmp_path: Path) -> None:
    assert read_cluster_file(written(tmp_path, FULL)) == ClusterFile(
        head_ip="10.0.0.1",
        workers=("10.0.0.2", "10.0.0.3"),
        ssh_user="ann",
        ssh_key="~/.ssh/id_ed25519",
        port=6380,
        python="/opt/orch/bin/python",
        folder="/var/orch",
    )


@pytest.mark.parametrize(
    "more",
    [
        "",
        "auth:\nmetadata:\n",
        "metadata: {orch: }\n",
        "metadata: {other: 1}\n",
        "available_node_types: {}\n",
    ],
)
def test_what_is_not_there_has_its_default(tmp_path: Path, more: str) -> None:
    assert read_cluster_file(written(tmp_path, SMALL + more)) == ClusterFile()


def test_the_file_that_comes_with_orch_is_one_box() -> None:
    path = Path(__file__).parents[2] / "cluster.yaml"
    assert read_cluster_file(path) == ClusterFile()


def test_the_file_that_comes_with_orch_names_two_boxes_once_uncommented(
    tmp_path: Path,
) -> None:
    """As its first lines say: away with every '#' before a word, the lower one wins."""
    text = (Path(__file__).parents[2] / "cluster.yaml").read_text()
    kept: list[str] = []
    for line in text.splitlines():
        mine = re.sub(r"^( *)#(?=\w)", r"\1", line)
        if mine != line:
            name = mine.split(":")[0]
            kept = [other for other in kept if other.split(":")[0] != name]
        kept.append(mine)
    cluster = read_cluster_file(written(tmp_path, "\n".join(kept)))
    assert cluster.head_ip == "192.168.1.10"
    assert cluster.workers == ("192.168.1.11",)
    assert cluster.ssh_user
    assert cluster.ssh_key


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("", Code.BAD_VALUE, "local provider"),
        ("[1, 2]", Code.BAD_VALUE, "local provider"),
        ("provider: local", Code.BAD_VALUE, "local provider"),
        ("cluster_name: orch", Code.BAD_VALUE, "provider"),
        ("provider: {type: aws, head_ip: a}", Code.BAD_VALUE, "is aws, expected local"),
        ("provider: {type: local}", Code.BAD_VALUE, "head_ip"),
        (
            "provider: {type: local, head_ip: a, worker_ips: 10.0.0.2}",
            Code.BAD_VALUE,
            "worker_ips is not a list",
        ),
        (SMALL + "auth: nobody", Code.BAD_VALUE, "local provider"),
        (SMALL + "metadata: {orch: {prot: 1}}", Code.BAD_VALUE, "no field prot"),
        (SMALL + "metadata: {orch: 5}", Code.BAD_VALUE, "local provider"),
        (SMALL + "metadata: {orch: {port: ten}}", Code.BAD_VALUE, "ten"),
        (SMALL + "metadata: {orch: {port: 70000}}", Code.BAD_VALUE, "70000"),
        (SMALL + "metadata: {orch: {port: -1}}", Code.BAD_VALUE, "-1"),
        ("provider: {", Code.UNREADABLE_YAML, "not YAML"),
        ("\tprovider: 1", Code.UNREADABLE_YAML, "not YAML"),
        (b"\xff\xfe\x00", Code.UNREADABLE_YAML, "not YAML"),
    ],
)
def test_what_is_wrong_is_said(
    tmp_path: Path, text: str | bytes, code: Code, said: str
) -> None:
    with pytest.raises(OrchError, match=said) as caught:
        read_cluster_file(written(tmp_path, text))
    assert caught.value.fault.code is code


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    for path in (tmp_path / "none.yaml", tmp_path):
        with pytest.raises(OrchError, match="cannot be read") as caught:
            read_cluster_file(path)
        assert caught.value.fault.code is Code.FILE_NOT_FOUND
