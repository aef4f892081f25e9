"""Arrays to the GPU and back without waiting for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

Array = npt.NDArray[Any]


def to_device(array: Array, device: torch.device) -> torch.Tensor:
    """A copy on the device; on a GPU it is queued, through pinned memory."""
    if device.type == "cpu":
        return torch.from_numpy(np.array(array))
    host = torch.from_numpy(np.ascontiguousarray(array))
    pinned = torch.empty(host.shape, dtype=host.dtype, pin_memory=True)
    pinned.copy_(host)
    return pinned.to(device, non_blocking=True)


def fetch(tensor: torch.Tensor) -> Callable[[], Array]:
    """Queue the copy back; the result, called later, waits for it.

    Types that numpy lacks come back as float32.
    """
    tensor = tensor.detach()
    if tensor.dtype is torch.bfloat16:
        tensor = tensor.float()
    if tensor.device.type == "cpu":
        return tensor.numpy
    host = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
    host.copy_(tensor, non_blocking=True)
    # Blocking: sleep until the event, so that the core is free to launch or tokenise.
    done = torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]
    done.record()

    def wait() -> Array:
        done.synchronize()
        result: Array = host.numpy()
        return result

    return wait
