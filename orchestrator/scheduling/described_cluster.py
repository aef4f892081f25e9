"""A described cluster as a snapshot: `schedule` plans for it as for a real one."""

from __future__ import annotations

from dataclasses import replace

from orchestrator.scheduling.board import ENOUGH
from orchestrator.scheduling.snapshot import DeviceKind, Gpu, Node, Snapshot, Uuid
from orchestrator.spec.cluster import DescribedCluster, DescribedGpu, DescribedNode


def described_snapshot(cluster: DescribedCluster) -> Snapshot:
    """The GPUs of a described cluster, with nobody on them.

    What is not free is held by programs that are not ours and not known.
    """
    gpus = tuple(gpu for node in cluster.nodes for gpu in _gpus(node))
    nodes = tuple(
        Node(
            node_id=node.name,
            node=node.name,
            cpu_milli=ENOUGH if node.cpus is None else round(node.cpus * 1000),
            ram_bytes=ENOUGH if node.memory is None else node.memory,
        )
        for node in cluster.nodes
    )
    return Snapshot(gpus, nodes=nodes)


def _gpus(node: DescribedNode) -> list[Gpu]:
    each = [said for said in node.gpus for _ in range(said.count)]
    gpus = [_gpu(node.name, index, said) for index, said in enumerate(each)]
    linked = [g.uuid for g, said in zip(gpus, each, strict=True) if said.nvlink]
    return [
        replace(gpu, peers=tuple(uuid for uuid in linked if uuid != gpu.uuid))
        if gpu.uuid in linked
        else gpu
        for gpu in gpus
    ]


def _gpu(node: str, index: int, said: DescribedGpu) -> Gpu:
    total = said.total or 0
    return Gpu(
        uuid=Uuid(f"described-{node}-{index}"),
        node_id=node,
        node=node,
        index=index,
        model=said.model,
        kind=DeviceKind.CUDA,
        total_bytes=total,
        free_bytes=total if said.free is None else said.free,
        compute=round((said.cc or 0) * 10),
    )
