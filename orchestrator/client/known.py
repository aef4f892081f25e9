"""Reading JSON of a controller that may be older or newer than this client."""

from __future__ import annotations

from datetime import datetime
from typing import Any


def known(cls: type[Any], data: dict[str, Any]) -> dict[str, Any]:
    """Only the keys that the dataclass has: a newer controller may send more."""
    names = cls.__dataclass_fields__
    return {key: value for key, value in data.items() if key in names}


def instant(text: str | None) -> datetime | None:
    """A point in time from RFC 3339, or none."""
    return None if text is None else datetime.fromisoformat(text)
