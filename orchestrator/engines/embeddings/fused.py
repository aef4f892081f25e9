"""Query, key and value of self-attention as one matrix product instead of three.

The hidden states are read once instead of three times, and one large product keeps a
GPU busier than three small ones. Results differ only by the rounding of the product.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

_NAMES = (
    ("query", "key", "value"),
    ("q_proj", "k_proj", "v_proj"),
    ("q_lin", "k_lin", "v_lin"),
)


class Product(nn.Module):
    """The three layers' weights in one, and the last product taken of them."""

    def __init__(self, layers: Sequence[nn.Linear]) -> None:
        super().__init__()
        self.weight = _joined([layer.weight for layer in layers])
        named = [dict(layer.named_parameters()) for layer in layers]
        biases = [parameters["bias"] for parameters in named if "bias" in parameters]
        self.bias = _joined(biases) if biases else None
        self._last: tuple[torch.Tensor, torch.Tensor] | None = None

    def of(self, hidden: torch.Tensor, *, last: bool) -> torch.Tensor:
        """The product for these hidden states, computed once; `last` forgets it."""
        # Read and written in one piece each: two threads may run one model.
        known = self._last
        if known is None or known[0] is not hidden:
            known = (hidden, functional.linear(hidden, self.weight, self.bias))
        self._last = None if last else known
        return known[1]


def _joined(parameters: Sequence[torch.Tensor]) -> nn.Parameter:
    return nn.Parameter(torch.cat(tuple(parameters)), requires_grad=False)


class _Part(nn.Module):
    """Stands where one of the three layers stood."""

    def __init__(self, product: Product, start: int, size: int, *, last: bool) -> None:
        super().__init__()
        self.product = product
        self._start, self._size, self._is_last = start, size, last

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Hidden states [..., in] -> [..., out], a view of the whole product."""
        whole = self.product.of(hidden, last=self._is_last)
        return whole.narrow(-1, self._start, self._size)


def fuse(body: nn.Module) -> int:
    """Fuse every attention whose layers have names we know; how many those were."""
    found = [
        (module, names)
        for module in body.modules()
        for names in _NAMES
        if _alike([getattr(module, name, None) for name in names])
    ]
    for module, names in found:
        _fuse_one(module, names)
    return len(found)


def _alike(layers: list[object]) -> bool:
    """Three plain linear layers of one input; a subclass may do something else."""
    linear = [layer for layer in layers if type(layer) is nn.Linear]
    if len(linear) != len(layers):
        return False
    first = linear[0]
    return all(
        layer.in_features == first.in_features
        and layer.weight.dtype is first.weight.dtype
        and (layer.bias is None) == (first.bias is None)
        for layer in linear
    )


def _fuse_one(module: nn.Module, names: tuple[str, str, str]) -> None:
    query, key, value = (getattr(module, name) for name in names)
    product = Product((query, key, value))
    start = 0
    for name, layer in zip(names, (query, key, value), strict=True):
        last = layer is value
        part = _Part(product, start, layer.out_features, last=last)
        setattr(module, name, part)
        start += layer.out_features
