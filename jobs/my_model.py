"""A module of your own, as `jobs/my_model.yaml` runs it on every GPU.

Write it as for one GPU: no DataParallel, no .cuda(), no loop over batches.
"""

from __future__ import annotations

import torch
from torch import nn


class MyModel(nn.Module):
    """Scores points of a plane for each of a few classes.

    Where you would load a checkpoint, this one draws its weights from a seed, so that
    every GPU has the same ones.
    """

    def __init__(self, hidden: int = 64, classes: int = 3, seed: int = 7) -> None:
        """Take the job file's `model.args`."""
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.layers = nn.Sequential(
                nn.Linear(2, hidden), nn.GELU(), nn.Linear(hidden, classes)
            )

    def forward(self, point: torch.Tensor) -> dict[str, torch.Tensor]:
        """Points [rows, 2] -> a label and a score per class for each row."""
        scores = self.layers(point).softmax(dim=-1)
        return {"label": scores.argmax(dim=-1), "scores": scores}
