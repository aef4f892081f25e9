"""How a model can be cut, told from the names and sizes of its tensors."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

from orchestrator.scheduling.layout import Pieces

_LAYER = re.compile(r"(?:^|\.)(?:layers?|blocks?|h)\.(\d+)\.")
_INPUT = re.compile(r"embed|wte|wpe")


def pieces_of(
    tensor_bytes: Mapping[str, int], *, heads: int = 0, kv_heads: int = 0
) -> Pieces | None:
    """The layers of a model, and what goes with the first and the last of them.

    Args:
        tensor_bytes: What each tensor takes once loaded, by its name in the file.
        heads: Attention heads; 0: not known.
        kv_heads: Heads that keys and values have.

    Returns:
        `None` if fewer than two layers are found by the usual names, or one is missing.
    """
    layers: Counter[int] = Counter()
    first = last = 0
    for name, size in tensor_bytes.items():
        if found := _LAYER.search(name):
            layers[int(found[1])] += size
        elif _INPUT.search(name):
            first += size
        else:
            last += size
    if len(layers) < 2 or max(layers) != len(layers) - 1:
        return None
    return Pieces(
        layer_bytes=tuple(layers[number] for number in range(len(layers))),
        first_bytes=first,
        last_bytes=last,
        heads=heads,
        kv_heads=kv_heads,
    )
