"""A cluster that is only described, to plan for."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, ValidationError, model_validator

from orchestrator.errors import Code, OrchError
from orchestrator.spec.document import START
from orchestrator.spec.reader import read_documents
from orchestrator.spec.section import Section
from orchestrator.spec.source import Source
from orchestrator.spec.syntax import unreadable
from orchestrator.spec.translate import add_faults
from orchestrator.spec.values import Cores, Memory, Text, conflict
from orchestrator.spec.words import plain


class DescribedGpu(Section):
    """One GPU, or several equal ones."""

    model: Text = "GPU"
    """Its name; jobs may ask for it by `gpu_type`."""
    total: Memory
    """All the memory it has."""
    free: Memory = None
    """What is free of it; `auto`: all."""
    cc: float | None = Field(default=None, ge=1, lt=100)
    """CUDA compute capability, such as 8.0."""
    nvlink: bool = False
    """It reaches the other GPUs of its node that say so."""
    count: int = Field(default=1, ge=1, le=64)
    """So many equal ones."""

    @model_validator(mode="after")
    def _has_memory(self) -> DescribedGpu:
        if not self.total:
            raise conflict("total", "expected an amount of memory such as 24GiB")
        if self.free is not None and self.free > self.total:
            raise conflict("free", "expected no more than 'total'")
        return self


class DescribedNode(Section):
    """One machine."""

    name: Text
    gpus: tuple[DescribedGpu, ...]
    cpus: Cores = None
    """Cores that jobs may have; left out: enough."""
    memory: Memory = None
    """RAM that jobs may have; `auto`: enough."""

    @model_validator(mode="after")
    def _has_gpus(self) -> DescribedNode:
        if not self.gpus:
            raise conflict("gpus", "expected one GPU at least")
        return self


class DescribedCluster(Section):
    """Machines and their GPUs."""

    nodes: tuple[DescribedNode, ...]

    @model_validator(mode="after")
    def _names_differ(self) -> DescribedCluster:
        if not self.nodes:
            raise conflict("nodes", "expected one node at least")
        names = [node.name for node in self.nodes]
        if len(set(names)) < len(names):
            raise conflict("nodes", "expected another name for each node")
        return self


def load_cluster(path: Path) -> DescribedCluster:
    """The cluster that a file describes.

    Raises:
        OrchError: Every mistake there is, as E201 to E205.
    """
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        message = f"there is no file '{plain(str(path))}'"
        raise OrchError.of(Code.FILE_NOT_FOUND, message) from None
    except (OSError, UnicodeDecodeError) as error:
        message = f"'{plain(str(path))}' cannot be read: {error}"
        raise OrchError.of(Code.UNREADABLE_YAML, message) from None
    source = Source.of(str(path), text)
    documents = read_documents(source, text)
    if len(documents) != 1 or not isinstance(documents[0].data, dict):
        message = "expected one description of a cluster: 'nodes:' and a list"
        raise OrchError((unreadable(source, START, message),))
    document = documents[0]
    try:
        cluster = DescribedCluster.model_validate(document.data)
    except ValidationError as error:
        errors = error.errors(include_url=False)
        add_faults(document, errors, DescribedCluster)
        raise OrchError(document.sorted_faults()) from None
    if document.faults:
        raise OrchError(document.sorted_faults())
    return cluster
