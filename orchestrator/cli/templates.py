"""Job files to begin with, for `orch init`."""

from __future__ import annotations

SCHEMA_FILE = "orch.job.v1.schema.json"

_HEAD = f"""\
# yaml-language-server: $schema=./{SCHEMA_FILE}
# The line above lets an editor check and complete this file, once there is:
#   orch schema > {SCHEMA_FILE}
# Look first:  orch plan job.yaml        Run it:  orch submit job.yaml
"""

_COMMON = """\

# --- what every kind of job may have; left out, it is as shown here -------------------
# name: job                    # default: the file's name
# priority: 0                  # -100 to 100; the higher runs first
# after: []                    # [41, "40:any", {job: 39, when: fail}]
# timeout: {queue: 2h, run: 12h}          # left out: as long as it needs
# grace: 30s                   # from SIGTERM to SIGKILL
# retry:
#   max: 2
#   on: [node_lost, worker_died]          # also: error, timeout
#   backoff: 10s..5m
# env: {SEED: "0", HF_TOKEN: null}        # null: as it is where you submit
# secrets: [HF_TOKEN]          # shown nowhere
"""

_BATCH = """\
version: 1
kind: batch                    # rows in, results out, then it ends

model:
  id: sentence-transformers/all-MiniLM-L6-v2   # a hub id, or a folder: ./my-model
  # entry: my_model:MyModel    # instead of id: a torch.nn.Module of your own

input:
  path: rows.jsonl             # seen from this file; also CSV, Parquet, plain text
  text: text                   # the field to embed
  # id_field: id               # the field that names a row

output:
  path: ./out/{id}             # seen from where you call orch
  format: jsonl                # or parquet

# resources:
#   gpus: auto                 # all there are; or 2, or "1..2"
#   gpu_memory: auto           # estimated; or 20GiB
# batch:
#   max_failed: 1%             # more failed rows than this, and the job has failed
# keep_alive: 2m               # how long the model stays loaded for the next job
"""

_COMMAND = """\
version: 1
kind: command                  # a program of yours runs, then it ends

run: |                         # bash -euo pipefail; or a list: [python, train.py]
  echo "hello from $(hostname)"

workdir: .                     # its files travel along, as they are when you submit

# resources:
#   cpus: 1                    # cores that must be free
#   memory: 2GiB               # of the machine, that must be free
"""

_ARRAY = """\
version: 1
kind: command                  # a program of yours, once for every task

array:                         # a task for every mix of the values
  matrix:
    lr: [1e-4, 3e-4]
    seed: [1, 2, 3]
  max_parallel: 4              # tasks that run at one time
# array: 0-31%4                # or: a task for every number, 4 at a time

run: |                         # {index}, {matrix.lr}: also as $ORCH_MATRIX_LR
  echo "task {index} of $ORCH_ARRAY_SIZE: lr {matrix.lr}, seed {matrix.seed}"

workdir: .                     # its files travel along, as they are when you submit

output:
  path: ./out/{id}             # every task has a folder of its own in it

# resources:
#   cpus: 1                    # for each task
"""

TEMPLATES = {
    "batch": _HEAD + _BATCH + _COMMON,
    "command": _HEAD + _COMMAND + _COMMON,
    "array": _HEAD + _ARRAY + _COMMON,
}
"""A job file by kind; `array` is a command with tasks."""
