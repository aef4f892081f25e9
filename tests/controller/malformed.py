"""A hundred ways to call the API wrongly."""

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
