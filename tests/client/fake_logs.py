"""The logs of a fake controller: bytes by offset, and whether more may come."""

from __future__ import annotations

import threading
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from orchestrator.errors import Code, Fault
from tests.client import documents

Name = tuple[str, int, int]
"""Key, attempt, rank."""


class FakeLogs:
    """Logs that the test writes, answered as the controller does."""

    def __init__(self, changed: threading.Condition) -> None:
        self._changed = changed
        self._data: dict[Name, bytes] = {}
        self._ended: set[Name] = set()
        self._stopped = 0
        self.broken = 0
        """So many requests get an answer that is none."""

    def reset(self) -> None:
        """Forget everything."""
        with self._changed:
            self._data.clear()
            self._ended.clear()
            self._stopped += 1
            self._changed.notify_all()

    def write(
        self,
        key: int | str,
        data: bytes,
        *,
        attempt: int = 1,
        rank: int = 0,
        ended: bool = True,
    ) -> None:
        """Append to a log; `ended`: nothing follows."""
        name = (str(key), attempt, rank)
        with self._changed:
            self._data[name] = self._data.get(name, b"") + data
            if ended:
                self._ended.add(name)
            self._changed.notify_all()

    def files(self, request: Request) -> Response:
        """GET .../logs."""
        key = request.path_params["key"]
        logs: list[dict[str, Any]] = [
            {"attempt": attempt, "rank": rank, "bytes": len(data)}
            for (of, attempt, rank), data in self._data.items()
            if of == key
        ]
        return JSONResponse({"logs": logs})

    def piece(self, request: Request) -> Response:
        """GET .../logs/{rank}."""
        if self.broken:
            self.broken -= 1
            return Response(b"", status_code=200, headers={"Content-Length": "7"})
        asked = request.query_params
        key, rank = request.path_params["key"], request.path_params["rank"]
        newest = max((a for of, a, _ in self._data if of == key), default=0)
        name = (key, int(asked["attempt"]) or newest, rank)
        if name not in self._data:
            fault = Fault(Code.NO_SUCH_JOB, "there is no such log")
            return JSONResponse(documents.faults(fault), status_code=404)
        return self._answer(name, dict(asked))

    def _answer(self, name: Name, asked: dict[str, str]) -> Response:
        with self._changed:
            stopped = self._stopped
            offset = int(asked.get("offset", 0))
            self._changed.wait_for(
                lambda: (
                    self._stopped != stopped
                    or len(self._data[name]) > offset
                    or name in self._ended
                ),
                float(asked.get("wait", 0)),
            )
            if self._stopped != stopped:
                return Response(status_code=410)
            whole, ended = self._data[name], name in self._ended
        if "tail" in asked:
            lines = whole.splitlines(keepends=True)
            offset = len(whole) - len(b"".join(lines[-int(asked["tail"]) :]))
        data = whole[offset : offset + int(asked.get("limit", 1 << 20))]
        upto = offset + len(data)
        headers = {
            "Orch-Offset": str(offset),
            "Orch-Next": str(upto),
            "Orch-Ended": str(int(ended and upto == len(whole))),
            "Orch-Attempt": str(name[1]),
        }
        return Response(data, headers=headers)
