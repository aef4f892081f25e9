"""Bytes of every tensor's storage that is alive, operation by operation."""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class LiveBytes(TorchDispatchMode):
    """Counts storages from the operation that made them until Python drops them.

    What a kernel takes and frees within itself is not seen; views are their base.

    Attributes:
        peak_bytes: The most that was alive after any operation.
    """

    def __init__(self, given: Iterable[torch.Tensor], known: Iterable[Any]) -> None:
        """Start with `given` alive; storages of `known` never count."""
        super().__init__()  # type: ignore[no-untyped-call]
        self._seen = {_key(tensor) for tensor in (*given, *known)}
        self._live = sum(tensor.untyped_storage().nbytes() for tensor in given)
        self.peak_bytes = self._live

    def __torch_dispatch__(
        self,
        func: Any,  # noqa: ANN401 - the interface's
        types: Any,  # noqa: ANN401
        args: Any = (),  # noqa: ANN401
        kwargs: Any = None,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        """Run it and look at what it made."""
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, torch.Tensor):
                self._take(tensor)
        return result

    def _take(self, tensor: torch.Tensor) -> None:
        storage, key = tensor.untyped_storage(), _key(tensor)
        if key in self._seen:
            return
        size = storage.nbytes()
        self._seen.add(key)
        self._live += size
        self.peak_bytes = max(self.peak_bytes, self._live)
        weakref.finalize(storage, self._drop, key, size)

    def _drop(self, key: int, size: int) -> None:
        self._seen.discard(key)
        self._live -= size


def _key(tensor: torch.Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)  # noqa: SLF001 - its identity
