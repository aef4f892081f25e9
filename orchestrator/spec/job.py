"""The job file as data. Unknown keys are errors: a typo must never be ignored."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from orchestrator.spec.values import (
    Duration,
    Entry,
    MaxFailed,
    Memory,
    OutputPath,
    Text,
    Whole,
    conflict,
)


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


class Section(BaseModel):
    """Base of every part of a job file: frozen, and strict about its keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _empty(cls, value: object) -> object:
        """A section whose every line is commented out is there, with no fields."""
        return {} if value is None else value


class GpuRange(Section):
    """How many GPUs a job may use: all there are, unless said otherwise."""

    minimum: Whole = Field(default=1, ge=1)
    maximum: Whole | None = Field(default=None, ge=1)
    """`None`: as many as there are."""

    @model_validator(mode="after")
    def _ordered(self) -> GpuRange:
        if self.maximum is not None and self.maximum < self.minimum:
            raise conflict("maximum", "expected at least as many as 'minimum'")
        return self


class Model(Section):
    """Which model, and what runs it."""

    id: Text | None = None
    """A hub id, a local folder, or `package:NAME` for weights inside a package."""
    revision: str | None = None
    """Commit or tag of a hub id."""
    engine: Literal["auto", "embeddings", "torch"] = "auto"
    """What runs it; `auto`: `torch` if there is an `entry`, else `embeddings`."""
    entry: Entry | None = None
    """`module:Class` of your own `torch.nn.Module`, beside the job file."""
    args: dict[str, Any] = {}
    """Keyword arguments for that class."""
    dtype: Literal["auto", "float32", "float16", "bfloat16"] = "auto"
    """`auto`: float16 on a GPU that has it, float32 on a CPU."""
    allow_pickle: bool = False
    """Also load weights that are not safetensors. They can run code."""
    trust_remote_code: bool = False
    """Run Python code that comes with the model."""

    @model_validator(mode="after")
    def _one_source(self) -> Model:
        if self.id is None and self.entry is None:
            raise PydanticCustomError(
                "missing_one_of", "either 'id' (a model) or 'entry' (your own module)"
            )
        if self.id is not None and self.entry is not None:
            raise conflict("entry", "expected either 'id' or 'entry', not both")
        if self.engine == "torch" and self.entry is None:
            raise conflict("engine", "expected 'entry' beside it, not 'id'")
        if self.engine == "embeddings" and self.id is None:
            raise conflict("engine", "expected 'id' beside it, not 'entry'")
        return self

    @property
    def engine_name(self) -> str:
        """The engine, with `auto` resolved."""
        if self.engine != "auto":
            return self.engine
        return "torch" if self.entry else "embeddings"


class Resources(Section):
    """What the job may use."""

    gpus: Annotated[GpuRange, BeforeValidator(_gpu_range)] = GpuRange()
    """`auto`, `all`, a number, or a range such as `"1..2"`."""
    gpu_memory: Memory = None
    """Per GPU; `auto`: estimated."""
    exclude: tuple[str, ...] = ()
    """GPUs to leave alone: `node:index` or UUID."""


class Input(Section):
    """Where the rows come from."""

    path: Text
    """A file, or a pattern such as `data/*.jsonl`; read in sorted order."""
    format: Literal["auto", "jsonl", "csv", "parquet", "text"] = "auto"
    """`auto`: by the file's ending."""
    text: Text = "text"
    """The field that holds the text to embed."""
    fields: tuple[Text, ...] = ()
    """The fields that a module of your own takes, in the order of its arguments."""
    id_field: Text | None = None
    """The field that names a row; a row is known by it and by its content."""


class Params(Section):
    """How the model is applied."""

    max_length: Whole | None = Field(default=None, ge=1)
    """Tokens; `None`: what the model was made for."""
    truncate: bool = True
    """Cut longer rows; `false`: they fail."""
    normalize: bool | None = None
    """Vectors of length one; `None`: as the model says."""


class Batch(Section):
    """How rows travel."""

    in_flight: Whole = Field(default=3, ge=2, le=16)
    """Chunks that are always under way on every engine."""
    max_failed: MaxFailed = "100%"
    """Failed rows after which the job counts as failed: `10`, or `1%`."""

    def failed_limit(self, rows: int) -> float:
        """How many of `rows` may fail."""
        if isinstance(self.max_failed, int):
            return self.max_failed
        return rows * float(self.max_failed.rstrip("%")) / 100


class Output(Section):
    """Where the results go."""

    path: OutputPath = "./out/{id}"
    """A folder; `{id}` and `{name}` are the job's."""
    format: Literal["jsonl", "parquet"] = "jsonl"
    on_exists: Literal["resume", "fail", "overwrite"] = "resume"
    """What to do when results are there already."""


class Job(Section):
    """A job file."""

    version: Literal[1]
    kind: Literal["batch"]
    name: str = Field(default="job", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")
    model: Model
    resources: Resources = Resources()
    input: Input
    params: Params = Params()
    batch: Batch = Batch()
    output: Output = Output()
    keep_alive: Duration = 120.0
    """How long a loaded model stays on its GPU for the next job."""
