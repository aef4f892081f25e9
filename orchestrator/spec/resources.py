"""What a job may use of the cluster."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    WithJsonSchema,
    model_validator,
)

from orchestrator.spec.section import Section
from orchestrator.spec.values import Cores, Memory, Text, Whole, conflict


def _gpu_range(value: object) -> object:
    if isinstance(value, GpuRange | dict):
        return value
    if value in ("auto", "all"):
        return GpuRange()
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        return GpuRange(minimum=value, maximum=value)
    match = re.fullmatch(r"(\d{1,6})\.\.(\d{1,6})", str(value))
    if match and 1 <= int(match[1]) <= int(match[2]):
        return GpuRange(minimum=int(match[1]), maximum=int(match[2]))
    raise ValueError('expected auto, all, a number from 1, or a range such as "1..2"')


def _no_gpus(value: object) -> object:
    if isinstance(value, GpuRange) and value.maximum == 0:
        return value
    none = {"minimum": 0, "maximum": 0}
    if value in (0, none) and not isinstance(value, bool):
        return none
    raise ValueError("expected 0; a command cannot have GPUs yet")


class GpuRange(Section):
    """How many GPUs a job may use: all there are, unless said otherwise."""

    minimum: Whole = Field(default=1, ge=0)
    maximum: Whole | None = Field(default=None, ge=0)
    """`None`: as many as there are."""

    @model_validator(mode="after")
    def _ordered(self) -> GpuRange:
        if self.maximum is not None and self.maximum < self.minimum:
            raise conflict("maximum", "expected at least as many as 'minimum'")
        return self


def _some(value: GpuRange) -> GpuRange:
    if value.minimum < 1:
        raise conflict("minimum", "expected 1 or more")
    return value


Gpus = Annotated[
    GpuRange,
    BeforeValidator(_gpu_range),
    AfterValidator(_some),
    WithJsonSchema(
        {
            "anyOf": [
                {"enum": ["auto", "all"]},
                {"type": "integer", "minimum": 1},
                {"type": "string", "pattern": r"^[0-9]{1,6}\.\.[0-9]{1,6}$"},
            ]
        }
    ),
]


_CONDITION = r"cc *(>=|<=|==|=|>|<) *[0-9]{1,2}(\.[0-9])?"


def _gpu_types(value: object) -> object:
    types = [value] if isinstance(value, str) else value
    for text in types if isinstance(types, list | tuple) else ():
        looks = isinstance(text, str) and re.match(r"cc\s*[<>=]", text)
        if looks and not re.fullmatch(_CONDITION, text):
            raise ValueError("expected a condition such as cc>=8.0")
    return types


GpuTypes = Annotated[
    tuple[Text, ...],
    BeforeValidator(_gpu_types),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "minLength": 1},
                {"type": "array", "items": {"type": "string", "minLength": 1}},
            ]
        }
    ),
]


class Resources(Section):
    """What the job may use."""

    gpus: Gpus = GpuRange()
    """`auto`, `all`, a number, or a range such as `"1..2"`."""
    gpu_memory: Memory = None
    """Per GPU; `auto`: estimated."""
    exclude: tuple[str, ...] = ()
    """GPUs to leave alone: `node:index` or UUID."""
    gpu_type: GpuTypes = ()
    """Models of GPUs, any of them; or `cc>=8.0`, a compute capability."""
    share: bool = False
    """Other jobs that share may stand on the same GPU, by memory."""
    cpus: Cores = None
    """CPU cores that must be free for it; `None`: one."""
    memory: Memory = None
    """Memory of the machine that must be free for it; `auto`: not asked."""


class CommandResources(Resources):
    """What the command may use."""

    gpus: Annotated[
        GpuRange, BeforeValidator(_no_gpus), WithJsonSchema({"const": 0})
    ] = GpuRange(minimum=0, maximum=0)
    """Only `0`: a command cannot have GPUs yet."""
