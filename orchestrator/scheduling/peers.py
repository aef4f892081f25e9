"""Which GPUs of a board reach each other over NVLink."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.scheduling.board import Board, Cell


def peer_groups(board: Board, cells: Sequence[Cell]) -> list[list[Cell]]:
    """GPUs that all reach each other over NVLink; the largest groups first."""
    groups: list[list[Cell]] = []
    left = list(cells)
    while left:
        group = [left.pop(0)]
        for cell in list(left):
            gpu = board.gpu(cell)
            if all(board.gpu(other).uuid in gpu.peers for other in group):
                group.append(cell)
                left.remove(cell)
        groups.append(group)
    return sorted((g for g in groups if len(g) > 1), key=len, reverse=True)
