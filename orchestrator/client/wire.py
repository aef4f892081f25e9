"""The one door to httpx: JSON there, JSON or an `OrchError` back."""

from __future__ import annotations

from typing import Any

import httpx

from orchestrator.client.address import Address, unreachable
from orchestrator.errors import Code, Fault, OrchError

ANSWER_SECONDS = 10.0
"""How long the controller may take, on top of what it was asked to wait."""


class Wire:
    """Requests to one controller. Close it, or use it as a context."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self._http = httpx.Client(
            base_url=address.url,
            headers={"Authorization": f"Bearer {address.token}"},
            # The controller is on this machine or on a named one, never behind
            # whatever proxy the environment sets for the Internet.
            trust_env=False,
        )

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()

    def get(self, path: str, *, wait_s: float = 0.0, **params: object) -> Any:  # noqa: ANN401
        """The JSON at `path`; it may take `wait_s` seconds longer.

        Raises:
            OrchError: What the controller says, or E302.
        """
        asked = {key: str(value) for key, value in params.items()}
        return self._send(
            self._http.build_request(
                "GET", path, params=asked, timeout=ANSWER_SECONDS + wait_s
            )
        )

    def post(self, path: str, body: dict[str, Any], *, wait_s: float = 0.0) -> Any:  # noqa: ANN401
        """The JSON that `path` answers `body` with.

        Raises:
            OrchError: What the controller says, or E302.
        """
        return self._send(
            self._http.build_request(
                "POST", path, json=body, timeout=ANSWER_SECONDS + wait_s
            )
        )

    def _send(self, request: httpx.Request) -> Any:  # noqa: ANN401
        try:
            response = self._http.send(request)
        except httpx.TimeoutException as error:
            raise unreachable(self.address.url, "does not answer in time") from error
        except httpx.HTTPError as error:
            raise unreachable(self.address.url, "cannot be reached") from error
        if response.is_success:
            return response.json()
        raise _refusal(response)


def _refusal(response: httpx.Response) -> OrchError:
    try:
        faults = response.json()["error"]["faults"]
        return OrchError(tuple(Fault.from_json(fault) for fault in faults))
    except (ValueError, KeyError, TypeError):
        return _plain_refusal(response)


def _plain_refusal(response: httpx.Response) -> OrchError:
    if response.status_code in (401, 403):
        return OrchError.of(
            Code.NOT_ALLOWED,
            f"the controller at {response.url.host} does not accept the token",
            fix="use the state folder (ORCH_STATE_DIR) that it was started with",
        )
    return OrchError.of(
        Code.BUG,
        f"the controller answered {response.status_code}",
        facts=(response.text[:500],),
    )
