"""A job file of kind `batch`: rows in, results out, then it ends."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from orchestrator.spec.durations import Duration
from orchestrator.spec.header import Destination, Header
from orchestrator.spec.kinds import known_kind
from orchestrator.spec.resources import Resources
from orchestrator.spec.section import Section
from orchestrator.spec.values import (
    Count,
    Entry,
    MaxFailed,
    Path,
    Text,
    Whole,
    conflict,
)


class Model(Section):
    """Which model, and what runs it."""

    id: Text | None = None
    """A hub id, a local folder, or `package:NAME` for weights inside a package."""
    revision: str | None = None
    """Commit or tag of a hub id."""
    engine: Literal["auto", "embeddings", "torch"] = "auto"
    """What runs it; `auto`: `torch` if there is an `entry`, else `embeddings`."""
    entry: Entry | None = None
    """`module:Class` of your own `torch.nn.Module`, in the job's `workdir`."""
    args: dict[str, Any] = Field(default={})
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

    max_length: Count | None = None
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


class Output(Destination):
    """Where the results go."""

    format: Literal["jsonl", "parquet"] = "jsonl"
    on_exists: Literal["resume", "fail", "overwrite"] = "resume"
    """What to do when results are there already."""


class Placement(Section):
    """Replicas or shards, where the program is not to decide."""

    mode: Literal["auto", "replicate", "tensor", "pipeline"] = "auto"
    """`replicate`: all of the model on a GPU; `tensor`: a part of every layer;
    `pipeline`: some of the layers."""
    replicas: Count | None = None
    """Exactly as many copies of the model."""
    shards: Count | None = None
    """Exactly as many GPUs for each copy."""


class BatchJob(Header):
    """A job file of kind `batch`."""

    kind: Annotated[Literal["batch"], BeforeValidator(known_kind)]
    workdir: Path | None = None
    """The folder whose Python code travels with `entry`; the job file's by default."""
    model: Model
    resources: Resources = Resources()
    objective: Literal["throughput", "latency"] = "throughput"
    """Most rows a second, or a single request answered soonest."""
    placement: Placement = Placement()
    input: Input
    params: Params = Params()
    batch: Batch = Batch()
    output: Output = Output()
    keep_alive: Duration = 120.0
    """How long a loaded model stays on its GPU for the next job."""
