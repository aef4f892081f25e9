"""The memory of a batch job's replica: from its files, and from what was seen of it.

An estimate of one batch takes up to a tenth of a second, and is kept.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from typing import Any

from orchestrator.engines.model_files import ModelFiles
from orchestrator.engines.weight_files import TensorHeader
from orchestrator.errors import OrchError
from orchestrator.estimate.architecture import read_architecture
from orchestrator.estimate.base import Estimate
from orchestrator.estimate.batches import (
    Limits,
    Reckoned,
    reckon_embeddings,
    reckon_rows,
)
from orchestrator.estimate.known import Known, Profile
from orchestrator.estimate.loaded import loaded_weights
from orchestrator.estimate.model import Shape, estimate_model
from orchestrator.estimate.module import estimate_module
from orchestrator.estimate.unknown import estimate_unknown, set_by_user
from orchestrator.estimate.weights import weights_from_header
from orchestrator.scheduling.available import smallest_room
from orchestrator.scheduling.layout import Pieces
from orchestrator.scheduling.snapshot import DeviceKind, Snapshot
from orchestrator.spec.job import BatchJob

KEPT = 512
"""Estimates that are kept."""
FLASH = 80
"""Compute capability from which PyTorch has flash attention, in tenths."""


@dataclass(frozen=True, slots=True)
class _Question:
    """A model on one kind of GPU with one batch; the files decide nothing beside it."""

    path: str
    revision: str
    label: str
    dtype: str
    kind: DeviceKind
    gpu_model: str
    shape: Shape
    files: ModelFiles = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class _Place:
    """What of a cluster an estimate depends on."""

    kind: DeviceKind
    gpu_models: tuple[str, ...]
    room_bytes: int | None
    packs: bool
    """Its GPUs have the kernel by which half-precision rows need no padding."""

    @property
    def gpu_model(self) -> str:
        """The one GPU model there is; empty if there are several."""
        return self.gpu_models[0] if len(self.gpu_models) == 1 else ""


def reckon(
    job: BatchJob, files: ModelFiles | None, snapshot: Snapshot, known: Known
) -> Reckoned:
    """The batch of one replica and its memory, for the smallest GPU that may be used.

    Raises:
        OrchError: E203, the memory cannot be told without `resources.gpu_memory`, or
            that is too small.
    """
    place = _place(snapshot, job.resources.exclude)
    given = job.resources.gpu_memory
    limits = Limits(
        memory_bytes=place.room_bytes,
        # More if that was too little before: the same again would end the same way.
        gpu_memory=None if given is None else max(given, known.most_bytes()),
        wanted_rows=known.wanted(place.gpu_models),
    )
    found = (
        _reckon_module(place, limits, known)
        if files is None
        else _reckon_encoder(job, files, place, limits, known)
    )
    if given is None or limits.gpu_memory == given:
        return found
    return replace(found, estimate=replace(found.estimate, measured=True))


def dtype_of(asked: str, kind: DeviceKind) -> str:
    """The dtype that a model of the job file's `dtype` runs in."""
    if asked != "auto":
        return asked
    return "float16" if kind is DeviceKind.CUDA else "float32"


def pieces_of_files(
    files: ModelFiles, asked: str, kind: DeviceKind, weights_bytes: int
) -> Pieces | None:
    """How a model can be cut; `None`: its files do not tell.

    Args:
        files: The model's.
        asked: The job file's dtype.
        kind: What the cluster has.
        weights_bytes: All its weights, once loaded.
    """
    dtype = dtype_of(asked, kind)
    try:
        loaded = loaded_weights(_header(files), files.config, dtype, body_only=True)
        found = read_architecture(files.config)
    except OrchError:
        return None
    layers = loaded.layer_bytes
    # Beside the layers there is the embedding; the norm at the end is next to nothing.
    first_bytes = weights_bytes - sum(layers)
    if len(layers) < 2 or first_bytes < 0:
        return None
    return Pieces(
        layer_bytes=layers,
        first_bytes=first_bytes,
        heads=found.heads,
        kv_heads=found.kv_heads,
    )


def _place(snapshot: Snapshot, exclude: tuple[str, ...]) -> _Place:
    usable = [
        gpu
        for gpu in snapshot.candidates()
        if not gpu.problem and not {gpu.name, gpu.uuid} & set(exclude)
    ]
    # 0: the GPU does not say it.
    packs = all(gpu.compute == 0 or gpu.compute >= FLASH for gpu in usable)
    return _Place(
        kind=snapshot.kind,
        gpu_models=tuple(sorted({gpu.model for gpu in usable})),
        room_bytes=smallest_room(snapshot, exclude),
        packs=packs and snapshot.kind is DeviceKind.CUDA,
    )


def _reckon_encoder(
    job: BatchJob, files: ModelFiles, place: _Place, limits: Limits, known: Known
) -> Reckoned:
    label, dtype = job.model.id or "", dtype_of(job.model.dtype, place.kind)
    question = partial(
        _Question,
        path=str(files.path),
        revision=files.revision,
        label=label,
        dtype=dtype,
        kind=place.kind,
        gpu_model=place.gpu_model,
        files=files,
    )

    def estimated(shape: Shape) -> Estimate:
        estimate = _estimated(question(shape=shape))
        return known.corrected(estimate, shape, place.gpu_models)

    if limits.gpu_memory is not None and not _is_known(files):
        weights = weights_from_header(_header(files)).bytes_as(dtype)
        given = limits.gpu_memory
        return Reckoned(set_by_user(given, place.kind, weights_bytes=weights))
    return reckon_embeddings(
        files.config,
        place.kind,
        limits,
        estimated,
        packed=place.packs and dtype != "float32",
        max_length=job.params.max_length,
        model=label,
    )


def _is_known(files: ModelFiles) -> bool:
    try:
        read_architecture(files.config)
    except OrchError:
        return False
    return True


def _reckon_module(place: _Place, limits: Limits, known: Known) -> Reckoned:
    """A module of the user's own: by its small batches, if it ever ran on a GPU."""
    profile = known.profile
    if profile is not None and limits.gpu_memory is None:
        return reckon_rows(limits, partial(_of_rows, profile, place, known))
    estimate = estimate_unknown(place.kind, gpu_memory=limits.gpu_memory)
    return Reckoned(known.with_floor(estimate))


def _of_rows(profile: Profile, place: _Place, known: Known, shape: Shape) -> Estimate:
    estimate = estimate_module(
        profile.parameters_bytes,
        profile.small_batches,
        shape.batch,
        gpu_model=place.gpu_model,
    )
    return known.corrected(estimate, shape, place.gpu_models)


@lru_cache(maxsize=KEPT)
def _estimated(question: _Question) -> Estimate:
    return estimate_model(
        question.files.config,
        _header(question.files),
        question.shape,
        dtype=question.dtype,
        kind=question.kind,
        gpu_model=question.gpu_model,
        model=question.label,
    )


def _header(files: ModelFiles) -> dict[str, Any]:
    if files.pickled_bytes:
        return {"pickled": {"dtype": "U8", "shape": [files.pickled_bytes]}}
    return {name: _entry(tensor) for name, tensor in files.tensors.items()}


def _entry(tensor: TensorHeader) -> dict[str, Any]:
    return {"dtype": tensor.dtype, "shape": list(tensor.shape)}
