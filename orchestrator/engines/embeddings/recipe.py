"""What a model's folder says of how its vectors are made, beside its weights.

Reads the files of sentence-transformers (modules.json and what it names) without
its library, whose import alone takes seconds.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.engines.sources import read_config, read_json
from orchestrator.errors import Code, OrchError
from orchestrator.spec.job import Params

_POOLING_KEYS = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
_LENGTH_IF_UNKNOWN = 512
_NO_LIMIT = 1_000_000
# Their position table starts after the padding token's own entry.
_OFFSET_MODELS = frozenset(
    (
        "camembert",
        "data2vec-text",
        "esm",
        "ibert",
        "longformer",
        "mpnet",
        "roberta",
        "roberta-prelayernorm",
        "xlm-roberta",
        "xlm-roberta-xl",
        "xmod",
    )
)


@dataclass(frozen=True, slots=True)
class Recipe:
    """From a model's hidden states to its vectors.

    Attributes:
        pooling: Ways of pooling, their outputs side by side.
        dense: Folders of the linear layers that follow, in order.
        normalize: Whether vectors get length one.
        max_length: Tokens a row may have.
        lower: Whether text is put in lower case first.
        prompt: What is put before every text.
        stated: Whether the model's folder says all this, or it is our default.
    """

    pooling: tuple[str, ...]
    dense: tuple[Path, ...]
    normalize: bool
    max_length: int
    lower: bool
    prompt: str
    stated: bool


def read_recipe(path: Path, params: Params) -> Recipe:
    """The recipe of the model in `path`, with the job's params over it.

    Raises:
        OrchError: E103, a part of the model that is not supported; E203, a
            `max_length` that the model has no positions for.
    """
    modules = _modules(path)
    parts = _parts(path, modules)
    sentence = read_json(path / "sentence_bert_config.json")
    normalize = any(kind == "Normalize" for kind, _ in parts)
    return Recipe(
        pooling=_pooling(parts),
        dense=tuple(folder for kind, folder in parts if kind == "Dense"),
        normalize=normalize if params.normalize is None else params.normalize,
        max_length=_max_length(path, params, sentence.get("max_seq_length")),
        lower=bool(sentence.get("do_lower_case", False)),
        prompt=_prompt(path),
        stated=bool(modules),
    )


def _modules(path: Path) -> list[dict[str, Any]]:
    file = path / "modules.json"
    if not file.is_file():
        return []
    try:
        modules = json.loads(file.read_bytes())
        return [{"type": m["type"], "path": m["path"]} for m in modules]
    except (ValueError, KeyError, TypeError) as error:
        raise _failed(f"{file} cannot be read.", "Get it again.") from error


def _parts(path: Path, modules: list[dict[str, Any]]) -> list[tuple[str, Path]]:
    parts = [(m["type"].rpartition(".")[2], path / m["path"]) for m in modules]
    for kind, folder in parts:
        if kind not in ("Transformer", "Pooling", "Dense", "Normalize"):
            raise _failed(
                f"The model has a module '{kind}', which is not supported.",
                "Use a model made of Transformer, Pooling, Dense and Normalize.",
            )
        if kind == "Transformer" and folder.resolve() != path.resolve():
            raise _failed(
                f"The model keeps its encoder in a folder of its own, {folder.name}.",
                f"Give {folder} as the model.",
            )
    return parts


def _pooling(parts: list[tuple[str, Path]]) -> tuple[str, ...]:
    for kind, folder in parts:
        if kind != "Pooling":
            continue
        config = read_json(folder / "config.json")
        named = config.get("pooling_mode")
        if named:
            return (named,) if isinstance(named, str) else tuple(named)
        flags = [mode for key, mode in _POOLING_KEYS.items() if config.get(key)]
        return tuple(flags) or ("mean",)
    return ("mean",)


def _prompt(path: Path) -> str:
    config = read_json(path / "config_sentence_transformers.json")
    name = config.get("default_prompt_name")
    return str((config.get("prompts") or {}).get(name, "")) if name else ""


def _max_length(path: Path, params: Params, stated: int | None) -> int:
    config = read_config(path)
    positions = int(config.get("max_position_embeddings") or _NO_LIMIT)
    if config.get("model_type") in _OFFSET_MODELS:
        positions -= int(config.get("pad_token_id") or 0) + 1
    if params.max_length is not None:
        if params.max_length > positions:
            raise OrchError.of(
                Code.BAD_VALUE,
                f"params.max_length is {params.max_length}, but the model has only"
                f" {positions} positions.",
                fix=f"Set it to {positions} or less.",
            )
        return params.max_length
    tokenizer = read_json(path / "tokenizer_config.json").get("model_max_length")
    for length in (stated, tokenizer):
        if length and length < _NO_LIMIT:
            return min(int(length), positions)
    return positions if positions < _NO_LIMIT else _LENGTH_IF_UNKNOWN


def _failed(message: str, fix: str) -> OrchError:
    return OrchError.of(Code.MODEL_FAILED_TO_LOAD, message, fix=fix)
