"""Hundreds of ways to call the API wrongly, over all its routes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def malformed(good: dict[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """Calls that are wrong, as (method, path, body); bytes are sent as they are."""
    spec, source = good["spec"], good["source"]
    nested = b"[" * 100_000
    bodies = [
        b"",
        b"{",
        b"null",
        b"[]",
        b"5",
        b'"text"',
        b"\xff\xfe\x00",
        b"{'a': 1}",
        nested,
        b'{"a":' * 50_000,
        b"9" * 5000,
        {},
        {"spec": {}},
        {**good, "spec": None},
        {**good, "spec": "x"},
        {**good, "source": 1},
        {**good, "source": {}},
        {**good, "code": 1},
        {**good, "code": {"a.py": "*"}},
        {**good, "code": {"a.py": "é"}},
        {**good, "code": {"a.py": None}},
        {**good, "source": {**source, "folder": None}},
        {**good, "source": {**source, "folder": "/no/such/folder"}},
        {**good, "source": {**source, "folder": "a\0b"}},
        {**good, "source": {**source, "folder": "\ud800"}},
        {**good, "spec": {**spec, "version": 7}},
        {**good, "spec": {**spec, "kind": "service"}},
        {**good, "spec": {**spec, "name": "a b"}},
        {**good, "spec": {**spec, "model": {}}},
        {**good, "spec": {**spec, "model": {"id": "package:none-such"}}},
        {**good, "spec": {**spec, "model": {"id": "./none"}}},
        {**good, "spec": {**spec, "input": {"path": "none.jsonl"}}},
        {**good, "spec": {**spec, "input": {"path": "\ud800*"}}},
        {**good, "spec": {**spec, "resources": {"gpus": 0}}},
        {**good, "spec": {**spec, "resources": {"gpu_memory": "1KiB"}}},
        {**good, "spec": {**spec, "resources": {"gpu_memory": "900GiB"}}},
        {**good, "spec": {**spec, "keep_alive": -1}},
        {**good, "spec": {**spec, "params": {"max_length": True}}},
    ]
    for body in bodies:
        yield "POST", "/v1/jobs", body
        yield "POST", "/v1/plan", body
    for body in (b"{", b"[]", b"null", {"force": "no"}, {"force": 1}, nested):
        yield "POST", "/v1/jobs/1/cancel", body
    for number in ("0", "99", "-1", "1.0", "x", "9" * 16, "9" * 4000, "%00", "1%0a"):
        yield "GET", f"/v1/jobs/{number}", None
        yield "POST", f"/v1/jobs/{number}/cancel", {}
    for query in ("after=x", "wait=x", "after=1&wait=", "after=[1]"):
        yield "GET", f"/v1/jobs/1?{query}", None
    yield from _controls(nested)
    yield from _questions()
    for method, path in (
        ("GET", "/"),
        ("GET", "/v1"),
        ("GET", "/v2/jobs"),
        ("GET", "/v1/jobs/"),
        ("GET", "/v1/jobs/1/"),
        ("GET", "/v1/jobs/1/cancel"),
        ("PUT", "/v1/jobs"),
        ("DELETE", "/v1/jobs/1"),
        ("POST", "/v1/health"),
        ("GET", "/v1/plan"),
        ("PATCH", "/v1/gpus"),
        ("GET", "/v1/shutdown"),
        ("GET", "/v1/../v1/nothing"),
    ):
        yield method, path, None


def malformed_commands(good: dict[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """The same for submissions of commands, which have no plan."""
    spec = good["spec"]
    changes: list[dict[str, Any]] = [
        {"run": ""},
        {"run": []},
        {"run": 5},
        {"run": ["a", 5]},
        {"run": "a\0b"},
        {"run": "\ud800"},
        {"resources": {"gpus": 1}},
        {"resources": {"cpus": 0}},
        {"resources": {"cpus": -1}},
        {"resources": {"cpus": 1e9}},
        {"resources": {"memory": "900TiB"}},
        {"priority": 101},
        {"priority": "high"},
        {"after": [0]},
        {"after": [10**30]},
        {"after": [99]},
        {"after": ["prepare"]},
        {"after": [{"job": 1, "when": "never"}]},
        {"after": "1"},
        {"timeout": {"run": "0s"}},
        {"timeout": {"run": -1}},
        {"timeout": {"sleep": "1s"}},
        {"retry": {"max": -1}},
        {"retry": {"on": ["moon"]}},
        {"retry": {"backoff": "9s..1s"}},
        {"retry": {"exit_codes": [300]}},
        {"env": {"A=B": "x"}},
        {"env": {"A": 5}},
        {"secrets": ["NOT_SENT"]},
        {"array": {}},
        {"array": {"range": "9-0"}},
        {"array": {"range": "0-99999999999"}},
        {"array": {"matrix": {}}},
        {"array": {"range": "0-3", "max_parallel": 0}},
        {"array": {"range": "0-3"}, "run": "{matrix.x}"},
        {"output": {"path": ""}},
        {"output": {"path": "/dev/null/{id}"}},
        {"output": {"path": "a\0b"}},
        {"model": {"id": "x"}},
        {"name": "x" * 500},
    ]
    for change in changes:
        yield "POST", "/v1/jobs", {**good, "spec": {**spec, **change}}
    for part in (
        {"snapshot": "../../etc/passwd"},
        {"snapshot": "0" * 64},
        {"snapshot": 5},
        {"env": {"": "x"}},
        {"env": {"A": "x\0"}},
        {"env": [1]},
        {"secrets": {"A": None}},
        {"secrets": "A"},
        {"wait_start_s": "now"},
        {"wait_start_s": True},
    ):
        yield "POST", "/v1/jobs", {**good, **part}
    yield "POST", "/v1/plan", good


def _controls(nested: bytes) -> Iterator[tuple[str, str, Any]]:
    wishes: list[Any] = [
        {"grace_s": "5"},
        {"grace_s": -1},
        {"grace_s": True},
        {"grace_s": 10**400},
        b'{"grace_s": NaN}',
        b'{"grace_s": Infinity}',
        {"reason": 5},
        {"reason": "two\nlines"},
        {"reason": "\ud800"},
        {"force": None},
    ]
    for body in wishes:
        yield "POST", "/v1/jobs/1/cancel", body
    for body in (b"{", b"[]", nested, {"mode": "again"}, {"mode": []}, {"mode": None}):
        yield "POST", "/v1/jobs/1/retry", body
    for key in ("99", "1.0", "1.x", "0", "1.0.0", "-1", "1e3"):
        yield "POST", f"/v1/jobs/{key}/retry", {}
    yield "POST", "/v1/jobs/1/retry", {}


def _questions() -> Iterator[tuple[str, str, Any]]:
    for key in ("99", "1.5", "x", "1.", ".1", "1.-1", "9" * 30):
        for part in ("", "/tasks", "/story", "/logs", "/logs/0"):
            yield "GET", f"/v1/jobs/{key}{part}", None
    yield from _of_lists()
    yield from _of_logs()
    for since in ("x", "yesterday", "2026-13-01", "0001-01-01T00:00:00%2B14:00"):
        yield "GET", f"/v1/history?since={since}", None
    for sha256 in ("x", "0" * 63, "G" * 64, "..%2f..", "0" * 64):
        yield "GET", f"/v1/snapshots/{sha256}", None
        yield "PUT", f"/v1/snapshots/{sha256}", b"not that"
    yield "DELETE", "/v1/snapshots/" + "0" * 64, None
    yield "POST", "/v1/history", {}
    yield "PUT", "/v1/jobs/1/logs/0", b"x"


def _of_lists() -> Iterator[tuple[str, str, Any]]:
    for query in ("limit=x", "limit=-1", "limit=1e3", "state=BUSY", "state=,"):
        yield "GET", f"/v1/jobs?{query}", None
        yield "GET", f"/v1/jobs/1/tasks?{query}", None
    for query in ("offset=x", "offset=-1", "offset=" + "9" * 40):
        yield "GET", f"/v1/jobs/1/tasks?{query}", None
        yield "GET", f"/v1/jobs/1/logs/0?{query}", None


def _of_logs() -> Iterator[tuple[str, str, Any]]:
    for query in ("attempt=x", "attempt=-1", "tail=-1", "tail=x", "since_s=nan"):
        yield "GET", f"/v1/jobs/1/logs/0?{query}", None
    for query in ("since_s=-1", "since_s=x", "wait=nan", "wait=-1", "limit=x"):
        yield "GET", f"/v1/jobs/1/logs/0?{query}", None
    for rank in ("-1", "x", "0.5", "%2e%2e%2f", "9" * 20, "%00"):
        yield "GET", f"/v1/jobs/1/logs/{rank}", None
