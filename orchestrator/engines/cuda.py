"""The door to the processor that a model runs on: a CUDA GPU, or cores of the CPU."""

from __future__ import annotations

import re

import torch

from orchestrator.engines.base import EngineSpec
from orchestrator.errors import Code, Fault, OrchError
from orchestrator.estimate.gpus import gpu_constants
from orchestrator.scheduling.snapshot import DeviceKind
from orchestrator.units import GIB, KIB, MIB, format_memory

_OUT_OF_MEMORY = ("out of memory", "can't allocate memory")
_ASKED = re.compile(r"[Tt]ried to allocate ([\d.]+) (bytes|KiB|MiB|GiB)")
_UNITS = {"bytes": 1, "KiB": KIB, "MiB": MIB, "GiB": GIB}


def open_device(spec: EngineSpec) -> torch.device:
    """Make this process ready to run on the GPU that was leased, and on no other.

    Raises:
        OrchError: E102, CUDA does not start, or this is another GPU.
    """
    torch.manual_seed(spec.seed)
    torch.set_num_threads(max(1, spec.cores))
    if spec.kind is DeviceKind.CPU:
        return torch.device("cpu")
    found = gpu_uuid()
    if spec.gpu.startswith("GPU-") and found != spec.gpu:
        raise OrchError.of(
            Code.GPU_FAILED_TO_INITIALISE,
            f"The engine found itself on GPU {found} instead of {spec.gpu}.",
            fix="Submit again; if it happens again, look at CUDA_VISIBLE_DEVICES.",
        )
    total = torch.cuda.get_device_properties(0).total_memory
    share = max(0, spec.memory_bytes - context_bytes()) / total
    torch.cuda.set_per_process_memory_fraction(min(1.0, share), 0)
    return torch.device("cuda", 0)


def gpu_uuid() -> str:
    """The UUID of the GPU that this process sees, as NVML writes it.

    Raises:
        OrchError: E102, CUDA does not start.
    """
    try:
        torch.cuda.init()  # type: ignore[no-untyped-call]
        return f"GPU-{torch.cuda.get_device_properties(0).uuid}"
    except (RuntimeError, AssertionError) as error:
        reason = str(error).strip().splitlines() or ["no reason given"]
        raise OrchError.of(
            Code.GPU_FAILED_TO_INITIALISE,
            f"CUDA cannot start on GPU: {reason[0]}",
            facts=(f"torch {torch.__version__}, CUDA {torch.version.cuda or 'none'}",),
            fix="Check with nvidia-smi that the GPU is healthy and that its driver"
            " supports this CUDA version.",
        ) from error


def context_bytes() -> int:
    """What CUDA itself takes of this GPU: as much as the estimate sets aside for it."""
    return gpu_constants(torch.cuda.get_device_name(0)).context_bytes


def device_name(device: torch.device) -> str:
    """The name of what it runs on, for people."""
    if device.type == "cuda":
        return str(torch.cuda.get_device_name(device))
    return f"CPU, {torch.get_num_threads()} cores"


def is_out_of_memory(error: BaseException) -> bool:
    """Whether this error means that the GPU, or the CPU, had no memory left."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    text = str(error)
    return isinstance(error, RuntimeError) and any(s in text for s in _OUT_OF_MEMORY)


def asked_bytes(error: BaseException) -> int:
    """What was asked for when memory ran out; 0 if the error does not say."""
    found = _ASKED.search(str(error))
    return int(float(found[1]) * _UNITS[found[2]]) if found else 0


def out_of_memory(
    spec: EngineSpec,
    device: torch.device,
    error: BaseException,
    what: str,
    *,
    weights_bytes: int = 0,
) -> OrchError:
    """E104: reserved, held and asked for, and what would have been enough.

    Args:
        spec: What the engine was told.
        device: Where it runs.
        error: The error that memory ran out with.
        what: What does not fit, as the subject of the message.
        weights_bytes: What the weights take, perhaps not all of them there yet.
    """
    held, asked = peak_bytes(device), asked_bytes(error)
    needed = max(held + asked, weights_bytes + context_bytes()) if held else 0
    facts = [f"reserved: {format_memory(spec.memory_bytes)}"]
    facts.append(f"held at most: {format_memory(held)}" if held else "held: not known")
    if asked:
        facts.append(f"then asked for: {format_memory(asked)}")
    fault = Fault(
        Code.OUT_OF_GPU_MEMORY,
        f"{what} does not fit into the memory reserved for it",
        facts=tuple(facts),
        fix="Set resources.gpu_memory to more, or free memory on the GPU.",
        needed_bytes=needed,
    )
    return OrchError((fault,))


def is_broken(error: BaseException) -> bool:
    """Whether the process can use its GPU no more: CUDA's errors do not go away."""
    if is_out_of_memory(error):
        return False
    causes = (error, error.__cause__, error.__context__)
    return any(isinstance(c, RuntimeError) and "CUDA error" in str(c) for c in causes)


def trim(device: torch.device) -> None:
    """Give unused cached memory back."""
    if device.type == "cuda":
        torch.cuda.empty_cache()


def peak_bytes(device: torch.device) -> int:
    """The most memory this process has held on its GPU; 0 on a CPU device."""
    if device.type != "cuda":
        return 0
    return int(torch.cuda.max_memory_reserved(device)) + context_bytes()


def used_bytes(device: torch.device) -> int:
    """The most memory that its tensors have taken; 0 on a CPU device."""
    return int(torch.cuda.max_memory_allocated(device)) if device.type == "cuda" else 0


def reset_peak(device: torch.device) -> None:
    """Forget the peak so far."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def synchronize(device: torch.device) -> None:
    """Wait until everything that was launched is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
