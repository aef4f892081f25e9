"""Sequences a second of one encoder, by hand and by orch, on one and on all GPUs.

    python -m benchmarks.encoder_scaling                        # everything
    python -m benchmarks.encoder_scaling --only loop,orch --case fixed --gpus 1
    python -m benchmarks.encoder_scaling --smoke                # no GPU: tiny shape

One run measures every set-up on the same rows: BERT-base shape, random weights,
half precision. The rivals get token ids, ready made; orch reads text from a file,
tokenises it and writes vectors to a file within its rate.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.encoder.data import CASES
from benchmarks.encoder.model import BERT_BASE, TINY, write_model_folder
from benchmarks.encoder.suite import SEED, Options, measure
from benchmarks.encoder.table import (
    TITLES,
    Measured,
    document,
    environment,
    gpu_names,
    ratios,
)

SMOKE = ["--device", "cpu", "--gpus", "1,2", "--rows", "600", "--batch", "32"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs it all and prints the table; 1 if a set-up failed or disagrees."""
    args = parse(arguments)
    options = _options(args)
    results: list[Measured] = []
    with tempfile.TemporaryDirectory(prefix="encoder-scaling-") as scratch:
        model = Path(scratch) / "model"
        model.mkdir()
        write_model_folder(model, options.shape, SEED)
        for result in measure(options, model, Path(scratch)):
            results.append(result)
            said = result.error or f"{result.rate:,.0f} sequences/s"
            print(_name(result), said, file=sys.stderr, flush=True)
            _save(args, results)
    print(document(results))
    return 1 if any(result.error for result in results) else 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line; `--smoke` stands for a set of options before the others."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--only", type=_choice(tuple(TITLES)), default=tuple(TITLES), metavar="SETUPS")
    add("--case", type=_choice(CASES), default=CASES, metavar="CASES")
    add("--gpus", type=_numbers, help="for orch, as 1,2,4; default: 1, 2, 4 ... all")
    add("--rows", type=int, default=0, help="rows a GPU, in place of --seconds")
    add("--seconds", type=float, default=12.0, help="length of the steady part")
    add("--batch", type=int, default=512, help="rows a batch of the rivals")
    add("--device", choices=["cuda", "cpu"], default="cuda")
    add("--limit", type=float, default=300.0, help="seconds a set-up may take")
    add("--json", type=Path, help="write results here, after every set-up")
    add("--markdown", type=Path, help="write the table here, after every set-up")
    add("--smoke", action="store_true", help="tiny shape, few rows, on the CPU")
    return parser.parse_args([*SMOKE, *given] if "--smoke" in given else given)


def _options(args: argparse.Namespace) -> Options:
    return Options(
        setups=args.only,
        cases=args.case,
        gpus=args.gpus or _doubling(len(gpu_names())),
        rows=args.rows,
        seconds=args.seconds,
        batch=args.batch,
        shape=TINY if args.smoke else BERT_BASE,
        device=args.device,
        limit_s=args.limit,
    )


def _choice(allowed: Sequence[str]) -> Callable[[str], tuple[str, ...]]:
    def chosen(text: str) -> tuple[str, ...]:
        names = text.split(",")
        if unknown := set(names) - set(allowed):
            raise argparse.ArgumentTypeError(f"{unknown}: not of {allowed}")
        return tuple(name for name in allowed if name in names)

    return chosen


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in text.split(","))


def _doubling(most: int) -> tuple[int, ...]:
    if most == 0:
        raise SystemExit("no GPU found; try --smoke")
    powers = [2**i for i in range(most.bit_length()) if 2**i < most]
    return (*powers, most)


def _name(result: Measured) -> str:
    return f"{result.case} {result.setup} on {result.gpus}:"


def _save(args: argparse.Namespace, results: Sequence[Measured]) -> None:
    if args.json:
        content = {
            "environment": environment(),
            "results": [asdict(result) for result in results],
            "ratios": ratios(results),
        }
        args.json.write_text(json.dumps(content, indent=2) + "\n")
    if args.markdown:
        args.markdown.write_text(document(results) + "\n")


if __name__ == "__main__":
    sys.exit(main())
