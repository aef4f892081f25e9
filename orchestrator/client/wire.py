"""The one door to the controller: JSON or bytes there and back, or an `OrchError`.

The standard library's HTTP client: httpx alone takes 0.1 s to import, four tenths of
what a whole command may take.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from select import select
from typing import Any
from urllib.parse import urlencode, urlsplit

from orchestrator.client.address import Address, unreachable
from orchestrator.errors import Code, Fault, OrchError

Params = Mapping[str, object]
NONE_ASKED: Params = {}

ANSWER_SECONDS = 10.0
"""How long the controller may take, on top of what it was asked to wait."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the controller sent: status, body, and headers by lower-case name."""

    status: int
    body: bytes
    headers: dict[str, str]

    def json(self) -> Any:  # noqa: ANN401
        """The body as JSON.

        Raises:
            OrchError: E900, it is none.
        """
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise _not_understood(self) from error


class Wire:
    """Requests to one controller, from any thread; connections are kept and shared."""

    def __init__(self, address: Address) -> None:
        self.address = address
        split = urlsplit(address.url)
        self._host, self._port = split.hostname or "", split.port
        self._idle: list[HTTPConnection] = []
        self._busy: set[HTTPConnection] = set()
        self._closed = False

    def drop_idle(self) -> None:
        """Give back the connections that nobody uses just now."""
        while self._idle:
            self._idle.pop().close()

    def close(self) -> None:
        """Give all connections back; requests that wait in other threads end."""
        self._closed = True
        self.drop_idle()
        for connection in tuple(self._busy):
            _hang_up(connection)

    def get(
        self, path: str, params: Params = NONE_ASKED, *, wait_s: float = 0.0
    ) -> Any:  # noqa: ANN401
        """The JSON at `path`; it may take `wait_s` seconds longer.

        Raises:
            OrchError: What the controller says, or E302.
        """
        return self.fetch(path, params, wait_s=wait_s).json()

    def fetch(
        self, path: str, params: Params = NONE_ASKED, *, wait_s: float = 0.0
    ) -> Answer:
        """What is at `path`, as it is.

        Raises:
            OrchError: What the controller says, or E302.
        """
        query = f"?{urlencode(params)}" if params else ""
        return self._ask("GET", path + query, None, wait_s)

    def post(self, path: str, body: dict[str, Any], *, wait_s: float = 0.0) -> Any:  # noqa: ANN401
        """The JSON that `path` answers `body` with.

        Raises:
            OrchError: What the controller says, or E302.
        """
        return self._ask("POST", path, json.dumps(body).encode(), wait_s).json()

    def put(self, path: str, body: bytes, *, wait_s: float = 0.0) -> None:
        """Leave bytes at `path`.

        Raises:
            OrchError: What the controller says, or E302.
        """
        self._ask("PUT", path, body, wait_s)

    def _ask(
        self, method: str, target: str, body: bytes | None, wait_s: float
    ) -> Answer:
        connection = self._connection(ANSWER_SECONDS + wait_s)
        self._busy.add(connection)
        try:
            answer = self._exchange(connection, method, target, body)
        except TimeoutError as error:
            connection.close()
            raise unreachable(self.address.url, "does not answer in time") from error
        except (OSError, HTTPException) as error:
            connection.close()
            raise unreachable(self.address.url, "cannot be reached") from error
        finally:
            self._busy.discard(connection)
        self._keep(connection)
        if 200 <= answer.status < 300:
            return answer
        raise _refusal(answer, self._host)

    def _keep(self, connection: HTTPConnection) -> None:
        self._idle.append(connection)
        if self._closed:
            self.drop_idle()

    def _connection(self, timeout_s: float) -> HTTPConnection:
        if self._closed:
            raise OrchError.of(Code.WRONG_STATE, "the client was closed")
        while self._idle:
            connection = self._idle.pop()
            # Readable while nothing was asked: the other side has closed it.
            if connection.sock and not select([connection.sock], [], [], 0)[0]:
                connection.sock.settimeout(timeout_s)
                return connection
            connection.close()
        return HTTPConnection(self._host, self._port, timeout=timeout_s)

    def _exchange(
        self, connection: HTTPConnection, method: str, target: str, body: bytes | None
    ) -> Answer:
        headers = {"Authorization": f"Bearer {self.address.token}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        connection.request(method, target, body, headers)
        response = connection.getresponse()
        named = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, response.read(), named)


def _hang_up(connection: HTTPConnection) -> None:
    # A mere close would leave a thread that reads from it waiting.
    try:
        if connection.sock is not None:
            connection.sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        connection.close()


def _refusal(answer: Answer, host: str) -> OrchError:
    try:
        faults = json.loads(answer.body)["error"]["faults"]
        return OrchError(tuple(Fault.from_json(fault) for fault in faults))
    except (ValueError, KeyError, TypeError):
        if answer.status in (401, 403):
            return _wrong_token(host)
        return _not_understood(answer)


def _wrong_token(host: str) -> OrchError:
    return OrchError.of(
        Code.NOT_ALLOWED,
        f"the controller at {host} does not accept the token",
        fix="use the state folder (ORCH_STATE_DIR) that it was started with",
    )


def _not_understood(answer: Answer) -> OrchError:
    return OrchError.of(
        Code.BUG,
        f"the controller answered {answer.status}",
        facts=(answer.body[:500].decode(errors="replace"),),
    )
