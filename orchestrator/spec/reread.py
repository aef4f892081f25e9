"""A loaded job's document once more, to point at a place in it."""

from __future__ import annotations

from orchestrator.errors import Code, Fault
from orchestrator.spec.document import Document, Loc
from orchestrator.spec.loaded import LoadedJob
from orchestrator.spec.override import apply_overrides
from orchestrator.spec.reader import read_documents
from orchestrator.spec.source import Source


def reread(loaded: LoadedJob) -> Document:
    """The document that the job was loaded from, without its faults."""
    source = Source.of(str(loaded.path), loaded.text)
    document = read_documents(source, loaded.text)[loaded.position]
    apply_overrides(document, loaded.overrides)
    document.faults.clear()
    return document


def fault_at(
    loaded: LoadedJob, loc: Loc, code: Code, message: str, fix: str = ""
) -> Fault:
    """A mistake in a loaded job, at the value of `loc` or the nearest there is."""
    document = reread(loaded)
    document.add(code, message, document.value_span(loc), fix)
    return document.sorted_faults()[0]
