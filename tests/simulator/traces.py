"""Small traces, written as the files of the real one."""

from __future__ import annotations

from pathlib import Path

from orchestrator.simulator.trace import NODE_LIST, POD_LIST

NODES = """\
sn,cpu_milli,memory_mib,gpu,model
node-1,16000,65536,2,T4
node-2,16000,65536,4,V100
"""
PODS = """\
name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos
a,1000,1024,1,300,,LS
b,2000,1024,1,1000,V100|T4,LS
c,2000,1024,2,1000,V100,BE
d,4000,2048,0,0,,BE
"""


def write(folder: Path, nodes: str = NODES, pods: str = PODS) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / NODE_LIST).write_text(nodes)
    (folder / POD_LIST).write_text(pods)
    return folder
