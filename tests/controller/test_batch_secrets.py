from __future__ import annotations

from typing import Any

from tests.controller.plant import Plant, request_for

SECRET = "s3cret-value"


def submit(two: Plant, value: str, **sections: Any) -> int:  # noqa: ANN401
    body = {
        **request_for(two.folder, secrets=["KEY"], keep_alive="60s", **sections),
        "secrets": {"KEY": value},
    }
    answer = two.client.post("/v1/jobs", json=body)
    assert answer.status_code == 201, answer.text
    return int(answer.json()["job"]["id"])


def environments(two: Plant) -> list[dict[str, str]]:
    return [dict(r.spec.env) for r in two.world.replicas.values() if r.spec]


def test_the_users_module_gets_its_secrets(two: Plant) -> None:
    job = submit(two, SECRET)
    two.running(job)
    assert environments(two) == [{"KEY": SECRET}] * 2
    assert SECRET not in str(two.job(job))


def test_an_engine_with_secrets_serves_no_other_job(two: Plant) -> None:
    first = submit(two, SECRET)
    two.running(first)
    second = submit(two, "another")
    two.world.runner(first).finish()
    view = two.running(second)
    assert [replica["warm"] for replica in view["replicas"]] == [False, False]
    assert environments(two) == [{"KEY": "another"}] * 2


def test_an_engine_with_secrets_ends_with_its_job(two: Plant) -> None:
    job = submit(two, SECRET)
    two.running(job)
    two.world.runner(job).finish()
    two.until_state(job, "SUCCEEDED")
    two.world.until(lambda: not two.world.leases, "its engines are gone")
