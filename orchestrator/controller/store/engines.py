"""Engines that hold a lease, and the most memory each was seen to hold."""

from __future__ import annotations

import json
from typing import Any

from orchestrator.controller.store.database import Database


class Engines(Database):
    """The tables `engines` and `peaks`."""

    def save_engine(self, name: str, data: dict[str, Any]) -> None:
        """A lease is held for this engine."""
        self._write(
            "INSERT OR REPLACE INTO engines VALUES (?, ?)", (name, json.dumps(data))
        )

    def drop_engine(self, name: str) -> None:
        """Its lease is given back."""
        self._write("DELETE FROM engines WHERE name = ?", (name,))

    def engines(self) -> dict[str, dict[str, Any]]:
        """Every engine that holds a lease, as far as this store knows."""
        rows = self._read("SELECT name, data FROM engines")
        return {name: json.loads(data) for name, data in rows}

    def save_peak(self, engine_key: str, gpu_model: str, peak_bytes: int) -> None:
        """The most memory this engine was seen to hold on a GPU of this model."""
        self._write(
            "INSERT INTO peaks VALUES (?, ?, ?) ON CONFLICT DO UPDATE"
            " SET bytes = max(bytes, excluded.bytes)",
            (engine_key, gpu_model, peak_bytes),
        )

    def peak(self, engine_key: str) -> int | None:
        """The most memory this engine was seen to hold; `None`: it never ran."""
        query = "SELECT max(bytes) FROM peaks WHERE engine_key = ?"
        value = self._read(query, (engine_key,))[0][0]
        return None if value is None else int(value)
