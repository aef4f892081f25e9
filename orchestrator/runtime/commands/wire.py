"""Messages between agent, keeper and shims: one JSON object a line, over a socket."""

from __future__ import annotations

import json
import socket
import threading
from typing import Any

_READ_BYTES = 1 << 16


class Wire:
    """One end. Sends from any thread; one thread receives."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._rest = b""
        self._sending = threading.Lock()

    def fileno(self) -> int:
        """The descriptor, to wait on."""
        return self._end.fileno()

    def send(self, message: dict[str, Any]) -> None:
        """Send a message whole.

        Raises:
            OSError: The other end is gone.
        """
        # A text that is no UTF-8 has surrogates, which JSON can carry in ASCII.
        data = json.dumps(message).encode() + b"\n"
        with self._sending:
            self._end.sendall(data)

    def receive(self) -> list[dict[str, Any]] | None:
        """The messages that have come whole, or wait for some; `None` at the end."""
        try:
            data = self._end.recv(_READ_BYTES)
        except OSError:
            return None
        if not data:
            return None
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [json.loads(line) for line in lines]

    def ended(self) -> bool:
        """Whether the other end is gone and has left nothing to receive."""
        try:
            flags = socket.MSG_PEEK | socket.MSG_DONTWAIT
            return self._end.recv(1, flags) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True

    def close(self) -> None:
        """Close this end; the other one sees it."""
        self._end.close()

    def hang_up(self) -> None:
        """End the talk also for a thread of ours that waits in `receive`."""
        self._end.shutdown(socket.SHUT_RDWR)
