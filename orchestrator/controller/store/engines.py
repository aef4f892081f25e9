"""Engines that hold a lease, and what was seen of the memory of each."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from orchestrator.controller.store.database import Database
from orchestrator.estimate.known import Known, Profile, Seen
from orchestrator.estimate.measured import Peak
from orchestrator.estimate.model import shape_from_json


class Engines(Database):
    """The tables `engines`, `peaks` and `profiles`."""

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

    def save_seen(self, engine_key: str, seen: Seen) -> None:
        """What an engine held of a GPU, or lacked; of one batch the most is kept."""
        peak = seen.peak
        self._write(
            "INSERT INTO peaks VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE"
            " SET bytes = max(bytes, excluded.bytes),"
            " settled = max(settled, excluded.settled)",
            (
                engine_key,
                peak.gpu_model,
                json.dumps(asdict(peak.shape), sort_keys=True),
                seen.lacked,
                peak.bytes,
                seen.settled,
            ),
        )

    def save_profile(self, engine_key: str, profile: Profile) -> None:
        """What small batches of a user's own module took; the newest is kept."""
        self._write(
            "INSERT OR REPLACE INTO profiles VALUES (?, ?)",
            (engine_key, json.dumps(asdict(profile))),
        )

    def known(self, engine_key: str) -> Known:
        """All that was seen of an engine."""
        query = (
            "SELECT gpu_model, shape, lacked, bytes, settled FROM peaks"
            " WHERE engine_key = ? ORDER BY gpu_model, shape, lacked"
        )
        seen = tuple(_seen(*row) for row in self._read(query, (engine_key,)))
        query = "SELECT data FROM profiles WHERE engine_key = ?"
        found = self._read(query, (engine_key,))
        return Known(seen, _profile(found[0][0]) if found else None)


def _seen(gpu_model: str, shape: str, lacked: int, amount: int, settled: int) -> Seen:
    ran = shape_from_json(json.loads(shape))
    assert ran is not None
    return Seen(Peak(ran, amount, gpu_model), bool(settled), bool(lacked))


def _profile(text: str) -> Profile:
    data = json.loads(text)
    pairs = tuple((rows, taken) for rows, taken in data["small_batches"])
    return Profile(data["parameters_bytes"], pairs)
