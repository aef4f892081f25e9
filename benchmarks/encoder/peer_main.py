"""One rival in a process of its own: clean GPU memory, clean CUDA contexts.

    python -m benchmarks.encoder.peer_main TASK.json

The task names the set-up and its work; events and sampled vectors go to the file
it names.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from benchmarks.encoder.measure import Sink, sampled
from benchmarks.encoder.peers import PEERS, Work


def main() -> None:
    """Runs the set-up of the task file given as the only argument."""
    task = json.loads(Path(sys.argv[1]).read_text())
    given = task["work"]
    work = Work(
        **{
            **given,
            "folder": Path(given["folder"]),
            "devices": tuple(given["devices"]),
        }
    )
    sink = Sink(work.stride)
    PEERS[task["setup"]](work, sink)
    kept = [sink.kept[int(row)] for row in sampled(work.stride, work.rows)]
    np.savez(task["answer"], done=np.array(sink.done), vectors=np.stack(kept))


if __name__ == "__main__":
    main()
