"""Texts -> batches of tokens, beside the GPU's process. Free of torch."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from operator import attrgetter
from pathlib import Path

import numpy as np
import tokenizers

from orchestrator.data.rows import RowFailure, Rows
from orchestrator.engines.base import Prepared
from orchestrator.engines.embeddings.batches import Int32s, bounds_for, cut
from orchestrator.engines.embeddings.recipe import read_recipe
from orchestrator.engines.sources import read_config
from orchestrator.errors import Code, OrchError
from orchestrator.scheduling.snapshot import DeviceKind
from orchestrator.spec.job import Params

_ids = attrgetter("ids")


class EmbeddingsPreparer:
    """Tokenises a chunk at once, in the tokeniser's own threads."""

    def __init__(
        self, source: Path, params: Params, budget_tokens: int, kind: DeviceKind
    ) -> None:
        """Read the tokeniser of the model in `source`.

        Raises:
            OrchError: E103, the model has no tokeniser that can be read.
        """
        self._recipe = read_recipe(source, params)
        self._vocabulary = int(read_config(source).get("vocab_size") or 1 << 31)
        self._tokenizer = _tokenizer(source)
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        if params.truncate:
            self._tokenizer.enable_truncation(self._recipe.max_length)
        self._budget = budget_tokens
        self._kind = kind

    def prepare(self, rows: Rows) -> Prepared:
        """Tokenise, check, sort by length and cut into batches.

        The first wanted field of a row is its text. Rows without text, or too
        long where truncation is off, become failures.
        """
        failures: dict[int, str] = {}
        texts = self._texts(rows, failures)
        encodings = self._encode(texts, failures)
        lengths = np.fromiter(map(len, encodings), np.int32, len(encodings))
        self._check(encodings, lengths, failures)
        good = np.array([i for i in range(len(rows)) if i not in failures], np.int64)
        order = np.argsort(-lengths[good], kind="stable")
        in_order = good[order]
        tokens = lengths[in_order]
        ids = np.fromiter(
            chain.from_iterable(_ids(encodings[i]) for i in in_order.tolist()),
            np.int32,
            int(tokens.sum()),
        )
        return Prepared(
            rows=rows.without(set(failures)) if failures else rows,
            batches=cut(
                order, ids, tokens, bounds_for(tokens, self._budget, self._kind)
            ),
            failures=[
                RowFailure(rows.numbers[i], rows.ids[i], Code.BAD_VALUE, why)
                for i, why in sorted(failures.items())
            ],
        )

    def _texts(self, rows: Rows, failures: dict[int, str]) -> list[str]:
        texts = [values[0] for values in rows.fields]
        for i, text in enumerate(texts):
            if type(text) is not str:
                failures[i] = f"expected text, got {_kind_of(text)}"
                texts[i] = ""
        if self._recipe.lower:
            texts = [text.lower() for text in texts]
        if self._recipe.prompt:
            texts = [self._recipe.prompt + text for text in texts]
        return texts

    def _encode(
        self, texts: list[str], failures: dict[int, str]
    ) -> Sequence[tokenizers.Encoding]:
        try:
            return self._tokenizer.encode_batch_fast(texts)
        except (TypeError, UnicodeError):
            # One text with half a surrogate pair refuses the whole batch.
            for i, text in enumerate(texts):
                if not _encodable(text):
                    failures[i] = "the text is not valid Unicode"
                    texts[i] = ""
            return self._tokenizer.encode_batch_fast(texts)

    def _check(
        self,
        encodings: Sequence[tokenizers.Encoding],
        lengths: Int32s,
        failures: dict[int, str],
    ) -> None:
        limit = self._recipe.max_length
        for i in np.flatnonzero(lengths > limit).tolist():
            failures.setdefault(
                i,
                f"{lengths[i]} tokens, but max_length is {limit} and truncate is false",
            )
        for i in np.flatnonzero(lengths == 0).tolist():
            failures.setdefault(i, "the text has no tokens")
        if self._tokenizer.get_vocab_size() <= self._vocabulary:
            return
        for i, encoding in enumerate(encodings):
            if max(encoding.ids, default=0) >= self._vocabulary:
                failures.setdefault(i, "a token that the model does not know")


def _tokenizer(source: Path) -> tokenizers.Tokenizer:
    file = source / "tokenizer.json"
    if not file.is_file():
        raise OrchError.of(
            Code.MODEL_FAILED_TO_LOAD,
            f"The model has no tokenizer.json in {source}.",
            fix="Make one: transformers.AutoTokenizer.from_pretrained(FOLDER)"
            ".save_pretrained(FOLDER).",
        )
    try:
        return tokenizers.Tokenizer.from_file(str(file))
    except Exception as error:
        raise OrchError.of(
            Code.MODEL_FAILED_TO_LOAD,
            f"The tokeniser {file} cannot be read: {error}",
            fix="Get the file again, or update the package tokenizers.",
        ) from error


def _kind_of(value: object) -> str:
    return "null" if value is None else type(value).__name__


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
