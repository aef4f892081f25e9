from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from orchestrator.engines.embeddings.recipe import read_recipe
from orchestrator.engines.sources import resolve_model
from orchestrator.errors import Code, OrchError
from orchestrator.spec.job import Model, Params
from tests.engines.small_models import MINILM

CONFIG = {"model_type": "bert", "max_position_embeddings": 512}
POOLING = ("sentence_transformers.models.Pooling", "1_Pooling")
BODY = ("sentence_transformers.models.Transformer", "")


def folder(tmp_path: Path, modules: list[tuple[str, str]], **files: object) -> Path:
    (tmp_path / "config.json").write_text(json.dumps(files.pop("config", CONFIG)))
    listed = [{"type": kind, "path": path} for kind, path in modules]
    if modules:
        (tmp_path / "modules.json").write_text(json.dumps(listed))
    (tmp_path / "1_Pooling").mkdir()
    (tmp_path / "1_Pooling/config.json").write_text(
        json.dumps(files.pop("pooling", {}))
    )
    for name, content in files.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    return tmp_path


def test_minilm_pools_by_mean_and_normalises() -> None:
    source = resolve_model(Model(id=MINILM), Path())
    recipe = read_recipe(source.path, Params())
    assert recipe.pooling == ("mean",)
    assert recipe.normalize
    assert recipe.max_length == 256
    assert recipe.stated
    assert not read_recipe(source.path, Params(normalize=False)).normalize


@pytest.mark.parametrize(
    ("config", "pooling"),
    [
        ({"pooling_mode_cls_token": True}, ("cls",)),
        ({"pooling_mode_max_tokens": True}, ("max",)),
        ({"pooling_mode_lasttoken": True}, ("lasttoken",)),
        (
            {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": True},
            ("cls", "mean"),
        ),
        ({"pooling_mode": "cls"}, ("cls",)),
        ({}, ("mean",)),
    ],
)
def test_pooling_is_what_the_model_says(
    config: dict[str, Any], pooling: tuple[str, ...], tmp_path: Path
) -> None:
    path = folder(tmp_path, [BODY, POOLING], pooling=config)
    assert read_recipe(path, Params()).pooling == pooling


def test_a_plain_model_is_pooled_by_mean_which_is_not_stated(tmp_path: Path) -> None:
    recipe = read_recipe(folder(tmp_path, []), Params())
    assert (recipe.pooling, recipe.stated, recipe.normalize) == (
        ("mean",),
        False,
        False,
    )


def test_an_unsupported_module_is_named(tmp_path: Path) -> None:
    path = folder(tmp_path, [BODY, ("sentence_transformers.models.LSTM", "1_LSTM")])
    with pytest.raises(OrchError, match="'LSTM'") as caught:
        read_recipe(path, Params())
    assert caught.value.fault.code is Code.MODEL_FAILED_TO_LOAD


ROBERTA = {"model_type": "roberta", "max_position_embeddings": 514, "pad_token_id": 1}
SENTENCE = {"sentence_bert_config": {"max_seq_length": 128}}


@pytest.mark.parametrize(
    ("config", "files", "params", "length"),
    [
        (CONFIG, {}, Params(), 512),
        (CONFIG, SENTENCE, Params(), 128),
        (CONFIG, SENTENCE, Params(max_length=300), 300),
        (CONFIG, {"tokenizer_config": {"model_max_length": 64}}, Params(), 64),
        (CONFIG, {"tokenizer_config": {"model_max_length": 10**30}}, Params(), 512),
        (ROBERTA, {}, Params(), 512),
    ],
)
def test_length_is_the_jobs_or_the_models(
    config: dict[str, Any],
    files: dict[str, Any],
    params: Params,
    length: int,
    tmp_path: Path,
) -> None:
    path = folder(tmp_path, [], config=config, **files)
    assert read_recipe(path, params).max_length == length


def test_more_tokens_than_positions_are_refused(tmp_path: Path) -> None:
    with pytest.raises(OrchError, match="only 512 positions") as caught:
        read_recipe(folder(tmp_path, []), Params(max_length=513))
    assert caught.value.fault.code is Code.BAD_VALUE


def test_the_default_prompt_is_put_before_texts(tmp_path: Path) -> None:
    prompts = {"default_prompt_name": "q", "prompts": {"q": "query: "}}
    path = folder(tmp_path, [], config_sentence_transformers=prompts)
    assert read_recipe(path, Params()).prompt == "query: "
