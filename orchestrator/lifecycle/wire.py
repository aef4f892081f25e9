"""A job's story as JSON: what happened and what was done, for programs and people."""

from __future__ import annotations

import re
from dataclasses import fields
from enum import Enum
from typing import Any

from orchestrator.errors import Fault
from orchestrator.lifecycle.events import Event
from orchestrator.lifecycle.instructions import Instruction
from orchestrator.lifecycle.key import JobKey
from orchestrator.lifecycle.words import event_text, instruction_text

__all__ = ["event_text", "event_to_json", "instruction_text", "instruction_to_json"]


def event_to_json(event: Event) -> dict[str, Any]:
    """`{"event": "replica_lost", "text": a sentence, "data": its fields}`."""
    return {
        "event": _name(event),
        "text": event_text(event),
        "data": _fields(event),
    }


def instruction_to_json(instruction: Instruction) -> dict[str, Any]:
    """`{"instruction": "start_replica", "text": a sentence, "data": its fields}`."""
    return {
        "instruction": _name(instruction),
        "text": instruction_text(instruction),
        "data": _fields(instruction),
    }


def _name(message: Event | Instruction) -> str:
    return re.sub(r"(?<!^)([A-Z])", r"_\1", type(message).__name__).lower()


def _fields(message: Event | Instruction) -> dict[str, Any]:
    return {f.name: _plain(getattr(message, f.name)) for f in fields(message)}


def _plain(value: object) -> object:
    match value:
        case Fault():
            return _plain(value.to_json())
        case dict():
            return {name: _plain(item) for name, item in value.items()}
        case Enum() | JobKey():
            return str(value)
        case tuple():
            return [_plain(item) for item in value]
        case _:
            return value
