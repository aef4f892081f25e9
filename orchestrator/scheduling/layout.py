"""Replicas or shards: how a model can be cut, and how it was."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Mode(StrEnum):
    """What the GPUs of one replica have of the model."""

    REPLICATE = "replicate"
    """A replica is one GPU with the whole model."""
    TENSOR = "tensor"
    """Every GPU has its part of every layer."""
    PIPELINE = "pipeline"
    """Every GPU has some of the layers, one after the other."""


class Objective(StrEnum):
    """What the job wants more of."""

    THROUGHPUT = "throughput"
    LATENCY = "latency"
    """One request answered soon."""


@dataclass(frozen=True, slots=True)
class Pieces:
    """How a model can be cut; its parts sum to the demand's weights.

    Attributes:
        layer_bytes: Weights of each layer, in order.
        first_bytes: Weights that go with the first layer: the embedding.
        last_bytes: Weights that go with the last one: norm and output head.
        cache_bytes: KV cache of all layers, within the demand's activations.
        heads: Attention heads; 0: tensor parallel is out of the question.
        kv_heads: Heads that keys and values have.
        context_tokens: What the cache is for; 0: not known.
    """

    layer_bytes: tuple[int, ...]
    first_bytes: int = 0
    last_bytes: int = 0
    cache_bytes: int = 0
    heads: int = 0
    kv_heads: int = 0
    context_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Variant:
    """The same model in another form that exists, such as a quantisation."""

    name: str
    weights_bytes: int
    pieces: Pieces | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """How a job's GPUs share its work.

    Attributes:
        mode: What a GPU has of the model.
        replicas: Copies of the model.
        shards: GPUs of each copy; of the largest, if they differ.
        throughput_percent: Rows a second, in percent of one GPU.
        speed_percent: Of a single request, in percent of one GPU.
    """

    mode: Mode
    replicas: int
    shards: int
    throughput_percent: int
    speed_percent: int


@dataclass(frozen=True, slots=True)
class Alternative:
    """A layout that was not taken, and what it was beaten by."""

    mode: Mode
    layout: Layout | None
    """`None`: it is not possible now."""
    because: str


@dataclass(frozen=True, slots=True)
class Cure:
    """One thing that would make a job fit, tried out on the idle cluster."""

    what: str
    """`context`, `variant`, `gpus`, `count`."""
    text: str
    """For people: what to do."""
    amount: int = 0
    """Tokens, bytes of weights, or GPUs."""


def pieces_from_json(data: dict[str, Any] | None) -> Pieces | None:
    """From the JSON that `dataclasses.asdict` makes of it."""
    if data is None:
        return None
    return Pieces(**{**data, "layer_bytes": tuple(data["layer_bytes"])})


def layout_from_json(data: dict[str, Any] | None) -> Layout | None:
    """From the JSON that `dataclasses.asdict` makes of it."""
    return None if data is None else Layout(**{**data, "mode": Mode(data["mode"])})


def alternative_from_json(data: dict[str, Any]) -> Alternative:
    """From the JSON that `dataclasses.asdict` makes of it."""
    layout = layout_from_json(data["layout"])
    return Alternative(Mode(data["mode"]), layout, data["because"])


def variant_from_json(data: dict[str, Any]) -> Variant:
    """From the JSON that `dataclasses.asdict` makes of it."""
    pieces = pieces_from_json(data["pieces"])
    return Variant(data["name"], data["weights_bytes"], pieces)
