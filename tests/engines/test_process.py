"""Engines as real processes, forked from a real zygote; a small module on the CPU."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from orchestrator.engines.base import EngineSpec, Held
from orchestrator.engines.link import EngineLink
from orchestrator.engines.messages import Load, Output
from orchestrator.engines.registry import preparer_for
from orchestrator.errors import Code, Fault, OrchError
from tests.engines.small_models import texts
from tests.engines.user_modules import spec_of
from tests.engines.zygotes import Zygote, zygote

DOUBLE = "def forward(self, x): return x * 2"
SLOW = """
def forward(self, x):
    import threading
    threading.Event().wait(60)
"""


@pytest.fixture(scope="module")
def parent() -> Iterator[Zygote]:
    with zygote() as running:
        yield running
        left = psutil.wait_procs(running.engines(), timeout=10)[1]
        assert left == []


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "logs" / "engine.log"


def load(link: EngineLink, spec: EngineSpec, log: Path) -> EngineSpec:
    log.parent.mkdir(exist_ok=True)
    with log.open("ab") as file:
        link.begin(file.fileno())
    link.load(Load(spec, {"ORCH_TEST": "here", "OMP_NUM_THREADS": "1"}, str(log)))
    return spec


def run(link: EngineLink, spec: EngineSpec, values: Sequence[object]) -> Any:  # noqa: ANN401
    prepared = preparer_for(spec, 4).prepare(texts(*values))
    return link.run(len(prepared.rows), prepared.batches)


def end(link: EngineLink) -> None:
    link.stop()
    assert link.gone.wait(10)
    wait_ended(link.pid)


def wait_ended(pid: int) -> None:
    """Until the zygote has reaped it, a moment after its socket closed."""
    with suppress(psutil.NoSuchProcess):
        psutil.Process(pid).wait(10)


def fault_of(future: Any) -> Fault:  # noqa: ANN401
    with pytest.raises(OrchError) as caught:
        future.result(10)
    return caught.value.fault


def test_chunks_come_back_each_in_its_order(
    parent: Zygote, tmp_path: Path, log: Path
) -> None:
    link = parent.fork()
    spec = load(link, spec_of(DOUBLE, tmp_path), log)
    assert link.pid in [engine.pid for engine in parent.engines()]
    assert os.getsid(link.pid) == link.pid
    chunks = [list(range(n, n + 11)) for n in range(0, 200, 20)]
    futures = [run(link, spec, chunk) for chunk in chunks]
    for chunk, future in zip(chunks, futures, strict=True):
        output: Output = future.result(20)
        assert list(output.columns["output"]) == [2 * n for n in chunk]
        assert output.bad == []
    empty: Output = link.run(0, []).result(10)
    assert (empty.columns, empty.bad) == ({}, [])
    end(link)


def test_stop_lets_it_finish_what_it_has(
    parent: Zygote, tmp_path: Path, log: Path
) -> None:
    link = parent.fork()
    spec = load(link, spec_of(DOUBLE, tmp_path), log)
    futures = [run(link, spec, range(64)) for _ in range(20)]
    link.stop()
    assert [len(future.result(20).columns["output"]) for future in futures] == [64] * 20
    assert link.gone.wait(10)
    fault = fault_of(run(link, spec, [1]))
    assert fault.code is Code.GPU_LOST
    assert fault.message.endswith("exit code 0")


def test_a_row_on_which_the_module_raises_fails_alone(
    parent: Zygote, tmp_path: Path, log: Path
) -> None:
    body = """
    def forward(self, x):
        if (x == 13).any():
            raise ValueError("unlucky")
        return x
    """
    link = parent.fork()
    spec = load(link, spec_of(body, tmp_path), log)
    output: Output = run(link, spec, range(40)).result(20)
    assert list(output.columns["output"]) == [n for n in range(40) if n != 13]
    (bad,) = output.bad
    assert (bad.position, bad.code) == (13, Code.USER_CODE_RAISED)
    assert "unlucky" in bad.message
    end(link)


def test_what_it_prints_and_its_environment_are_its_own(
    parent: Zygote, tmp_path: Path, log: Path
) -> None:
    body = """
    def forward(self, x):
        import os
        print("hello from", os.environ["ORCH_TEST"], flush=True)
        return x
    """
    link = parent.fork()
    spec = load(link, spec_of(body, tmp_path), log)
    run(link, spec, [1]).result(20)
    assert "hello from here" in log.read_text()
    end(link)


def test_a_module_that_cannot_be_made_is_said_and_the_process_ends(
    parent: Zygote, tmp_path: Path, log: Path
) -> None:
    link = parent.fork()
    spec = spec_of(DOUBLE, tmp_path)
    broken = replace(spec, code=dict.fromkeys(spec.code, b"import nowhere"))
    with pytest.raises(OrchError) as caught:
        load(link, broken, log)
    assert caught.value.fault.code in (Code.MODEL_FAILED_TO_LOAD, Code.USER_CODE_RAISED)
    assert "nowhere" in str(caught.value) + " ".join(caught.value.fault.facts)
    wait_ended(link.pid)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_killed_engine_fails_all_that_was_in_it_and_says_how(
    parent: Zygote, tmp_path: Path, log: Path, number: signal.Signals
) -> None:
    link = parent.fork()
    spec = load(link, spec_of(SLOW, tmp_path), log)
    futures = [run(link, spec, [n]) for n in range(3)]
    os.kill(link.pid, number)
    for future in [*futures, run(link, spec, [4])]:
        fault = fault_of(future)
        assert fault.code is Code.GPU_LOST
        assert fault.message == (
            f"the engine process {link.pid} ended while running:"
            f" killed by {number.name}"
        )
    assert link.gone.is_set()
    wait_ended(link.pid)


def test_an_engine_that_dies_while_it_loads_is_said(
    parent: Zygote, tmp_path: Path, log: Path
) -> None:
    link = parent.fork()
    body = """
    def __init__(self):
        import os
        os._exit(7)
    """
    with pytest.raises(OrchError, match="ended while loading: exit code 7"):
        load(link, spec_of(body, tmp_path), log)


@pytest.mark.parametrize(
    ("made", "message"),
    [
        # Cannot be written at all.
        ("lambda: 1", "cannot be sent"),
        # Can be written, but its class is known nowhere else.
        ("Own()", "cannot be read outside its process"),
    ],
)
def test_values_that_cannot_leave_the_process_are_the_modules_fault(
    parent: Zygote, tmp_path: Path, log: Path, made: str, message: str
) -> None:
    link = parent.fork()
    spec = spec_of(
        f"def forward(self, x): return [{{'v': {made}}} for _ in x]", tmp_path
    )
    (name,) = spec.code
    code = {name: spec.code[name] + b"\nclass Own: pass\n"}
    spec = load(link, replace(spec, code=code), log)
    future = run(link, spec, [1, 2, 3])
    if made == "Own()":
        fault = fault_of(future)
        assert (fault.code, message in fault.message) == (Code.USER_CODE_RAISED, True)
    else:
        output: Output = future.result(10)
        assert [bad.position for bad in output.bad] == [0, 1, 2]
        assert {bad.code for bad in output.bad} == {Code.USER_CODE_RAISED}
        assert message in output.bad[0].message
    end(link)


HUNGRY = """
def forward(self, x):
    if len(x) > {rows}:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.50 GiB.")
    return x
"""


def test_batches_are_halved_until_memory_suffices(
    parent: Zygote, tmp_path: Path, log: Path
) -> None:
    link = parent.fork()
    spec = load(link, spec_of(HUNGRY.format(rows=1), tmp_path), log)
    output: Output = run(link, spec, range(10)).result(20)
    assert list(output.columns["output"]) == list(range(10))
    # Batches of 4, 4 and 2.
    assert (output.bad, output.splits) == ([], 3 + 3 + 1)
    assert output.held == Held(), "on a CPU device nothing is measured"
    end(link)


def test_a_row_that_does_not_fit_ends_the_engine_with_e104(
    parent: Zygote, tmp_path: Path, log: Path
) -> None:
    link = parent.fork()
    spec = load(link, spec_of(HUNGRY.format(rows=0), tmp_path), log)
    futures = [run(link, spec, [n]) for n in range(3)]
    for future in [*futures, run(link, spec, [4])]:
        fault = fault_of(future)
        assert fault.code is Code.OUT_OF_GPU_MEMORY
        assert fault.message.startswith(f"{spec.model.entry} does not fit")
        assert "then asked for: 2.5 GiB" in fault.facts
        assert fault.needed_bytes == 0, "what it held on a CPU is not known"
    assert link.gone.wait(10)
    wait_ended(link.pid)


def test_a_module_that_does_not_fit_is_e104_not_e103(
    parent: Zygote, tmp_path: Path, log: Path
) -> None:
    link = parent.fork()
    body = """
    def __init__(self):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 8.00 MiB.")
    """
    with pytest.raises(OrchError, match="does not fit") as caught:
        load(link, spec_of(body, tmp_path), log)
    assert caught.value.fault.code is Code.OUT_OF_GPU_MEMORY
    assert link.gone.wait(10)


REPLICA = """
import pickle, sys, threading
from pathlib import Path
from orchestrator.engines.link import EngineLink
link = EngineLink(Path(sys.argv[1]))
link.load(pickle.load(sys.stdin.buffer))
print(link.pid, flush=True)
threading.Event().wait()
"""


def test_an_engine_goes_with_its_replica(
    parent: Zygote, tmp_path: Path, log: Path
) -> None:
    command = [sys.executable, "-c", REPLICA, str(parent.socket)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as replica:
        assert replica.stdin is not None
        assert replica.stdout is not None
        pickle.dump(Load(spec_of(DOUBLE, tmp_path), {}, str(log)), replica.stdin)
        replica.stdin.flush()
        engine = psutil.Process(int(replica.stdout.readline()))
        replica.kill()
    assert psutil.wait_procs([engine], timeout=10)[1] == []


def test_engines_outlive_their_zygote(tmp_path: Path, log: Path) -> None:
    with zygote() as short:
        link = short.fork()
        spec = load(link, spec_of(DOUBLE, tmp_path), log)
    assert short.process.returncode == 0
    output: Output = run(link, spec, [1, 2]).result(20)
    assert np.array(output.columns["output"]).tolist() == [2, 4]
    link.stop()
    assert link.gone.wait(10)


def test_without_a_zygote_there_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        EngineLink(tmp_path / "zygote")
