"""What people are shown: why a job waits, what happened, who held which GPU."""

from __future__ import annotations

import json
from datetime import datetime

import pytest

from tests.controller.plant import Generations, Plant, View

BOTH = {"cpus": 2}


def tiers(view: View) -> list[str]:
    return [why["tier"] for why in view["waiting"]]


def blocked(two: Plant) -> int:
    job = two.command(resources=BOTH)
    two.started(job)
    return job


def test_every_reason_has_its_tier_its_text_and_its_numbers(two: Plant) -> None:
    first = blocked(two)
    after = two.command(after=[first])
    head = two.command(resources=BOTH)
    behind = two.command()
    array = two.command(array={"range": "0-2", "max_parallel": 1}, priority=-1)
    two.until(head, lambda v: tiers(v) == ["busy"], "it was looked at")
    assert tiers(two.job(after)) == ["dependency"]
    assert tiers(two.job(behind)) == ["order"]
    assert tiers(two.job(f"{array}.1")) == ["limit"]
    assert tiers(two.job(array)) == tiers(two.job(f"{array}.0")) == ["order"]
    text = two.job(behind)["waiting"][0]["text"]
    assert text == f"position 2 in the queue, behind job {head}"
    limited = two.job(f"{array}.2")["waiting"][0]
    assert limited["data"] == {"job": str(array), "running": 1, "limit": 1}
    assert [two.job(n)["position"] for n in (after, head, behind, array)] == [
        None,
        1,
        2,
        3,
    ]


def test_a_command_that_no_node_can_ever_hold_says_so(two: Plant) -> None:
    two.world.until(lambda: two.core.rooms, "the nodes have reported")
    rooms = two.core.rooms
    two.core.rooms = ()
    job = two.command(resources={"cpus": 64})
    two.core.rooms = rooms
    view = two.until(job, lambda v: tiers(v) == ["never_fits"], "it says so")
    assert "64 cores" in view["waiting"][0]["text"]
    two.end(two.command())
    two.cancel(job)


def test_before_anything_is_known_of_the_nodes_commands_wait(two: Plant) -> None:
    two.world.change(lambda: two.world.dead_nodes.add("node-a"))
    two.world.until(lambda: not two.core.rooms, "the node is gone")
    job = two.command()
    view = two.job(job)
    assert (view["state"], tiers(view)) == ("PENDING", ["evaluating"])
    two.world.change(two.world.dead_nodes.clear)
    two.end(job)


def test_a_new_controller_knows_why_jobs_wait(generations: Generations) -> None:
    old = generations.plant
    first = blocked(old)
    head, behind = old.command(), old.command()
    old.until(head, lambda v: tiers(v) == ["busy"], "it was looked at")
    new = generations.next()
    new.until(head, lambda v: tiers(v) == ["busy"], "it was looked at")
    assert (tiers(new.job(behind)), new.job(behind)["position"]) == (["order"], 2)
    for job in (first, head, behind):
        new.end(job)


def test_what_runs_waits_for_nothing(two: Plant) -> None:
    job = blocked(two)
    view = two.job(job)
    assert (view["waiting"], view["position"]) == ([], None)
    (listed,) = two.get("/v1/jobs")["jobs"]
    assert listed == view


def test_lists_count_whole_jobs_and_put_those_at_work_first(two: Plant) -> None:
    done = two.command(name="done")
    two.end(done)
    first = two.command(array={"range": "0-1"}, name="first")
    for task in (0, 1):
        two.started(f"{first}.{task}")
    waiting = two.command()
    answer = two.get("/v1/jobs?all=1")
    assert [view["id"] for view in answer["jobs"]] == [first, waiting, done]
    assert answer["counts"] == {"SUCCEEDED": 1, "RUNNING": 1, "PENDING": 1}
    unfinished = two.get("/v1/jobs")["jobs"]
    assert [view["id"] for view in unfinished] == [first, waiting]
    assert [v["id"] for v in two.get("/v1/jobs?state=succeeded")["jobs"]] == [done]
    assert [v["id"] for v in two.get("/v1/jobs?all=1&limit=1")["jobs"]] == [first]
    assert [v["id"] for v in two.get("/v1/jobs?all=1&name=do")["jobs"]] == [done]
    assert two.get("/v1/jobs?kind=batch")["jobs"] == []
    newest = two.get("/v1/jobs?all=1&order=newest")["jobs"]
    assert [v["id"] for v in newest] == [waiting, first, done]


def test_all_views_have_the_same_keys(two: Plant) -> None:
    first = blocked(two)
    array = two.command(array={"range": "0-1"}, after=[first])
    over = two.command(after=[{"job": first, "when": "fail"}])
    batch = two.submit(after=[first])
    views = [two.job(key) for key in (first, array, f"{array}.0", batch)]
    two.end(first)
    views += [two.until_state(over, "SKIPPED"), two.job(first)]
    for view in views:
        assert set(view) == set(views[0])
        assert not {"machine", "nodes", "run"} & set(view)
        assert json.dumps(view)
    for task in (0, 1):
        two.end(f"{array}.{task}")


def test_a_story_tells_what_happened_and_what_was_done(two: Plant) -> None:
    retry = {"max": 1, "exit_codes": [7], "backoff": "0.01s..0.01s"}
    job = two.command(retry=retry)
    two.end(job, 7)
    two.end(job, attempt=2)
    story = two.story(job)
    assert [line["event"] for line in story] == [
        "planned",
        "command_started",
        "command_ended",
        "retry_due",
        "planned",
        "command_started",
        "command_ended",
    ]
    assert story[2]["does"] == ["begin attempt 2 in 10ms: the command returned 7"] or (
        "begin attempt 2" in story[2]["does"][0]
    )
    assert story[-1]["does"] == ["end it as SUCCEEDED: the command returned 0"]
    assert [line["state"] for line in story][-1] == "SUCCEEDED"
    times = [datetime.fromisoformat(line["at"]) for line in story]
    assert times == sorted(times)
    assert set(story[0]) == {"at", "event", "state", "cause", "text", "data", "does"}


def test_the_story_of_a_task_is_its_own(two: Plant) -> None:
    job = two.command(array={"range": "0-1"})
    two.end(f"{job}.0")
    two.end(f"{job}.1", 1)
    assert two.story(f"{job}.0")[-1]["state"] == "SUCCEEDED"
    assert two.story(f"{job}.1")[-1]["state"] == "FAILED"
    assert two.client.get(f"/v1/jobs/{job}.7/story").status_code == 404


def test_history_counts_the_seconds_of_every_gpu(two: Plant) -> None:
    job = two.submit(name="embed")
    two.running(job)
    held = two.get("/v1/history")["usage"]
    assert [use["gpu"] for use in held] == ["local:0", "local:1"]
    assert {use["finished_at"] for use in held} == {None}
    two.world.runner(job).finish()
    two.until_state(job, "SUCCEEDED")
    two.end(two.command())
    over = two.get("/v1/history")["usage"]
    assert [(u["id"], u["task"], u["name"], u["kind"]) for u in over] == [
        (job, None, "embed", "batch")
    ] * 2
    for use in over:
        assert use["finished_at"]
        assert 0 <= use["gpu_seconds"] < 60
        assert use["model"] == "my_model:MyModel"
    assert two.get("/v1/history?since=2999-01-01T00:00:00Z")["usage"] == []
    later = over[0]["finished_at"].replace("+", "%2B")
    assert len(two.get(f"/v1/history?since={later}")["usage"]) >= 1


@pytest.mark.parametrize("cpus", [0.5, 1.5])
def test_parts_of_cores_add_up(two: Plant, cpus: float) -> None:
    jobs = [two.command(resources={"cpus": cpus, "memory": "1GiB"}) for _ in range(4)]
    fits = int(2 / cpus)
    for job in jobs[:fits]:
        two.started(job)
    assert len(two.world.node_commands.running) == fits
    for job in jobs:
        two.end(job)


def test_only_a_job_that_has_begun_has_logs(two: Plant) -> None:
    first, second = two.command(resources={"cpus": 2}), two.command()
    two.started(first)
    assert two.job(first)["logs"].endswith(f"jobs/{first}/attempt-1")
    assert two.job(second)["logs"] == ""
    two.end(first)
    two.end(second)
