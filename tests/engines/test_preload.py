"""What the zygote does before it forks, seen from a fresh process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

PROGRAM = """
import json, os, sys
from orchestrator.engines.preload import preload
preload()
import torch
threads = len(os.listdir("/proc/self/task"))
said = {"threads": threads, "cuda": torch.cuda.is_initialized()}
if os.fork() == 0:
    from pathlib import Path
    from orchestrator.spec.job import Model
    from tests.engines.small_models import MINILM, engine_spec
    before = set(sys.modules)
    from orchestrator.engines.embeddings.batches import TokenBatch
    from orchestrator.engines.executors import executor_for
    import numpy as np
    executor = executor_for(engine_spec(Model(id=MINILM), Path()))
    executor.load()
    ids, lengths = np.arange(5, dtype=np.int32), np.array([3, 2], np.int32)
    executor.launch(TokenBatch(np.arange(2), ids, lengths))()
    said["new"] = sorted(set(sys.modules) - before)
    print(json.dumps(said), flush=True)
    os._exit(0)
os.wait()
"""


def test_a_fork_imports_nothing_more_and_inherits_no_threads() -> None:
    said: dict[str, Any] = json.loads(
        subprocess.run(
            [sys.executable, "-c", PROGRAM],
            capture_output=True,
            text=True,
            check=True,
            env=os.environ | {"OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": "."},
        ).stdout
    )
    assert said == {"threads": 1, "cuda": False, "new": []}
